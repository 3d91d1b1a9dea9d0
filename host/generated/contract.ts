// Generated from the Rust types by `UPDATE_GOLDEN=1 cargo test --features sim contract`. Do not edit.

export type Instant = number;

export type SessionId = string;

export type MessageId = string;

export type CallId = string;

export type RequestId = string;

export type MissionId = number;

export type EffectId = number;

export type TimerId = number;

export type TaskId = number;

export type Fault = { "rateLimited": { retryAfterMs: number | null, message: string, } } | { "unavailable": { message: string, } } | { "timeout": { message: string, } } | { "sessionLost": { message: string, } } | { "agentFailed": { message: string, } } | { "refused": { message: string, } } | "contextOverflow" | "cancelled";

export type Fingerprint = string;

export type Model = { 
/**
 * OpenCode's provider id.
 */
provider: string, 
/**
 * The model's id within that provider.
 */
model: string, };

export type TodoStatus = "pending" | "in_progress" | "completed" | "cancelled";

export type Todo = { content: string, status: TodoStatus, };

export type Command = { "task": { objective: string, } } | "stop" | "status";

export type Origin = "person" | "command";

export type Ending = "natural" | "step" | { "failed": { fault: Fault, } } | "unfinished";

export type ToolKind = "read" | "edit" | "run" | "plan" | "other";

export type FileState = { path: string, content: Fingerprint, 
/**
 * The syntax errors that it has and had not before the mission's first edit of it, as `path:line:column: message`;
 * none when it was not parsed.
 */
errors?: Array<string> | null, };

export type ToolCall = { call: CallId, kind: ToolKind, 
/**
 * The call in a few words, for evidence: tool name and the start of its arguments.
 */
label: string, 
/**
 * Tool name and arguments.
 */
args: Fingerprint, 
/**
 * The output, or the error.
 */
result: Fingerprint, 
/**
 * The first line of the error when the call failed.
 */
error: string | null, 
/**
 * Files the call read.
 */
reads: Array<string>, 
/**
 * Files the call wrote, as they are now.
 */
writes: Array<FileState>, 
/**
 * What the call told about the health of the work tree: language diagnostics, build or test output.
 */
diagnostics: Fingerprint | null, };

export type RawToolCall = { call: string, tool: string, kind: "read" | "edit" | "run" | "plan" | "other", 
/**
 * The arguments as JSON text.
 */
args: string, 
/**
 * The output, or the error's message when `failed`.
 */
output: string, failed: boolean, reads: Array<string>, 
/**
 * Path and content of each file written.
 */
writes: Array<RawFile>, 
/**
 * Diagnostics of the work tree, as text.
 */
diagnostics: string | null, };

export type RawFile = { path: string, content: string, 
/**
 * As in [`FileState`].
 */
errors: Array<string> | null, };

export type Blocker = "permission" | "question";

export type LastTurn = { 
/**
 * A turn is under way.
 */
busy: boolean, 
/**
 * The newest assistant message, and how it ended.
 */
assistant: LastAssistant | null, 
/**
 * A user message newer than that waits for an answer.
 */
unanswered: boolean, };

export type LastAssistant = { message: MessageId, ending: Ending, 
/**
 * It is a compaction's summary, not an answer.
 */
summary: boolean, };

export type TaskTool = "delegate_task" | "get_task_result" | "list_tasks" | "cancel_task";

export type AgentInfo = { name: string, 
/**
 * Tasks may be given to it: it is no primary agent.
 */
delegable: boolean, 
/**
 * The model it is bound to.
 */
model: Model | null, };

export type TaskNews = { tasks: Array<TaskId>, text: string, };

export type ChildSession = { session: SessionId, title: string, };

export type Payload = "done" | { "todos": { todos: Array<Todo>, } } | { "turn": { turn: LastTurn, } } | { "check": { exit: number | null, output: string, } } | { "session": { session: SessionId, } } | { "text": { text: string, } } | { "children": { children: Array<ChildSession>, } };

export type Outcome = { "ok": Payload } | { "err": Fault };

export type RestoreCause = "restart" | "trap";

export type Event = { "command": { session: SessionId, command: Command, } } | { "userMessage": { session: SessionId, origin: Origin, agent: string | null, model: Model | null, } } | { "busy": { session: SessionId, } } | { "retrying": { session: SessionId, attempt: number, message: string, retryAfterMs: number | null, } } | { "firstOutput": { session: SessionId, } } | { "idle": { session: SessionId, } } | { "assistant": { session: SessionId, message: MessageId, ending: Ending, 
/**
 * It is a compaction's summary, not an answer.
 */
summary: boolean, tokens: number, cost: number, } } | { "assistantText": { session: SessionId, text: Fingerprint, } } | { "sessionError": { session: SessionId, fault: Fault, } } | { "todos": { session: SessionId, todos: Array<Todo>, } } | { "tool": { session: SessionId, call: ToolCall, } } | { "blocked": { session: SessionId, request: RequestId, by: Blocker, } } | { "unblocked": { session: SessionId, request: RequestId, rejected: boolean, } } | { "compacting": { session: SessionId, } } | { "compacted": { session: SessionId, } } | { "continuing": { session: SessionId, } } | { "child": { parent: SessionId, session: SessionId, title: string, } } | { "taskTool": { session: SessionId, call: CallId, tool: TaskTool, args: string, agent: string | null, model: Model | null, agents: Array<AgentInfo>, } } | { "toolAborted": { session: SessionId, call: CallId, } } | { "granted": { ticket: number, } } | { "tasks": { session: SessionId, open: number, news: TaskNews | null, } } | { "resultsSeen": { session: SessionId, tasks: Array<TaskId>, } } | { "missionOpen": { session: SessionId, open: boolean, } } | { "deleted": { session: SessionId, } } | { "reply": { effect: EffectId, outcome: Outcome, } } | "alarm" | { "restored": { cause: RestoreCause, } } | { "shutdown": { drain: boolean, } } | { "trapped": { message: string, } };

export type Level = "info" | "success" | "warning" | "error";

export type Effect = { "prompt": { id: EffectId, session: SessionId, agent: string | null, model: Model | null, text: string, redrive: boolean, } } | { "readTodos": { id: EffectId, session: SessionId, } } | { "readTurn": { id: EffectId, session: SessionId, } } | { "abort": { id: EffectId, session: SessionId, } } | { "readResult": { id: EffectId, session: SessionId, } } | { "createSession": { id: EffectId, parent: SessionId, agent: string, title: string, mayDelegate: boolean, } } | { "readChildren": { id: EffectId, session: SessionId, } } | { "deleteSession": { id: EffectId, session: SessionId, } } | { "runCheck": { id: EffectId, command: string, timeoutMs: number, } } | { "stopCheck": { id: EffectId, } } | { "setAlarm": { at: Instant | null, } } | { "answerCommand": { session: SessionId, text: string, shown: string | null, } } | { "answerTool": { session: SessionId, call: CallId, text: string, failed: boolean, } } | { "journalTasks": { session: SessionId, text: string, replace: boolean, ended: boolean, } } | { "notify": { session: SessionId, level: Level, message: string, } } | { "log": { level: Level, message: string, } } | { "journal": { mission: MissionId, text: string, replace: boolean, ended: boolean, } };

export type Phase = "working" | "reading" | "checking" | "held" | "settling" | "prompting" | "backingOff" | "paused" | "suspended" | "ended";

export type StopReason = { "complete": { finished: number, } } | "noTodos" | { "stagnant": { turns: number, evidence: string, } } | { "noProgress": { continuations: number, } } | { "iterations": { limit: number, } } | { "minutes": { limit: number, } } | { "tokens": { limit: number, } } | { "cost": { limit: number, } } | "stoppedByUser" | "replaced" | "sessionDeleted" | { "providerRefused": { message: string, } } | { "providerDown": { attempts: number, message: string, } } | { "hostFailed": { message: string, } } | { "trapped": { message: string, } };

export type Rule = "start" | "resume" | "person-spoke" | "strong-progress" | "weak-progress" | "stagnant" | "pivot" | "ask-for-plan" | "check-failed" | "check-passed" | "all-done" | "gate" | "gate-opened" | "tasks-ended" | "settle" | "ceiling" | "user-abort" | "user-rejected" | "user-stop" | "provider-fault" | "outage-over" | "lookup-failed" | "prompt-failed" | "lost-prompt" | "lost-event" | "lookup" | "compaction" | "session-deleted" | "restart" | "trap" | "drain";

export type Decision = { at: Instant, rule: Rule, text: string, };

export type MissionView = { id: MissionId, session: SessionId, objective: string, phase: Phase, 
/**
 * What it waits for, in words, when a gate is closed.
 */
gate: string | null, reason: StopReason | null, 
/**
 * The reason in words.
 */
verdict: string | null, success: boolean, active: boolean, iteration: number, todos: Array<Todo>, tokens: number, 
/**
 * US dollars.
 */
cost: number, activeMs: number, decisions: Array<Decision>, 
/**
 * When the next timer is due.
 */
wakesAt: Instant | null, };

export type TaskState = "queued" | "leasing" | "prompting" | "running" | "collecting" | "adopting" | "backingOff" | "done" | "failed" | "cancelled" | "timedOut";

export type TaskView = { id: TaskId, agent: string, description: string, state: TaskState, 
/**
 * The session whose agent delegated it, and its own.
 */
parent: SessionId, session: SessionId | null, 
/**
 * What it waits for when that is the person's answer.
 */
blocked: string | null, tokens: number, 
/**
 * Milliseconds from its delegation to its end, or to now.
 */
ageMs: number, };

export type LimiterState = "open" | "paused" | "breaker" | "probing";

export type KeyView = { key: string, 
/**
 * How many may be in flight now, if nothing pauses.
 */
limit: number, 
/**
 * The configured limit.
 */
ceiling: number, inFlight: number, waiting: number, state: LimiterState, 
/**
 * One short sentence: why the limit is what it is.
 */
why: string, 
/**
 * When a pause or the breaker's wait ends.
 */
resumesAt: Instant | null, };

/** The plugin options, as the user writes them. */
export type Options = {
  completion?: {
    /** Shell command that must exit with 0 before a mission ends as complete. */
    command?: string;
    /** Seconds that command may take. Default: 300. */
    timeoutSec?: number;
  };
  journal?: {
    /** Keep a journal of each mission; needed to resume after a restart. Default: true. */
    enabled?: boolean;
    /** Size of a journal file at which it is compacted, in MB. Default: 8. */
    maxMb?: number;
  };
  limits?: {
    /** Sub-agents at a time, in all. Default: 8. */
    global?: number;
    /** Sub-agents at a time of one agent: a number, or an object by name. Default: {}. */
    perAgent?: number | { [name: string]: number };
    /** Sub-agents at a time on one provider/model: a number, or an object by name. Default: {}. */
    perKey?: number | { [name: string]: number };
  };
  mission?: {
    /** Tell a mission of syntax errors that its edits made. Default: true. */
    diagnostics?: boolean;
    /** US dollars; 0 means no limit. Default: 0.0. */
    maxCostUsd?: number;
    /** Continuations a mission may send. Default: 50. */
    maxIterations?: number;
    /** Minutes of active time. Default: 240. */
    maxMinutes?: number;
    /** Stagnant turns until a mission stops. Default: 3. */
    maxStagnant?: number;
    /** Tokens of the mission and its sub-agents. Default: 20000000. */
    maxTokens?: number;
    /** Continuations in a row without a newly finished todo. Default: 8. */
    maxWithoutProgress?: number;
    /** Milliseconds to wait after a turn before going on. Default: 0. */
    settleMs?: number;
  };
  notify?: {
    /** Show toasts. Default: true. */
    toasts?: boolean;
  };
  search?: {
    /** Memory of the search cache, in MB. Default: 256. */
    memoryMb?: number;
    /** Let the system tell of changes, where it can, instead of looking at each file. Default: true. */
    watch?: boolean;
    /** Search workers; 0 lets the host choose. Default: 0. */
    workers?: number;
  };
  tasks?: {
    /** Keep the sub-agents' sessions after a mission. Default: false. */
    keepSessions?: boolean;
    /** Levels of delegation. Default: 1. */
    maxDepth?: number;
    /** Further attempts at a failed task. Default: 2. */
    retries?: number;
    /** Minutes without progress after which a task is given up. Default: 30. */
    timeoutMin?: number;
  };
};
