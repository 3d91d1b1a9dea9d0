// Generated from the Rust types by `UPDATE_GOLDEN=1 cargo test --features sim contract`. Do not edit.
import type { KeyView, LimiterState, MissionView, Phase, TaskView } from "../../../host/generated/contract.js";

export type Story = { id: string, title: string, 
/**
 * What to look for, in a sentence.
 */
about: string, };

export type Settings = { story: string, seed?: number | null, 
/**
 * Sub-agents that the agent starts at a time; none means that it works alone.
 */
agents?: number | null, todos?: number | null, 
/**
 * Longest step of the mission's agent, in seconds.
 */
step?: number | null, 
/**
 * Sub-agents at a time that the user allows.
 */
limit?: number | null, 
/**
 * Requests at a time that the provider takes.
 */
capacity?: number | null, 
/**
 * Longest time to a first output, in seconds.
 */
latency?: number | null, 
/**
 * Sub-agents in a hundred that fail.
 */
failures?: number | null, 
/**
 * How much goes wrong at the boundary, in a hundred of what the heaviest tests do.
 */
faults?: number | null, };

export type From<T> = { n: number, value: T, };

export type Lane = "plugin" | "tasks" | "person" | "faults";

export type Mark = { n: number, lane: Lane, kind: string, text: string, };

export type Level = { limit: number, ceiling: number, inFlight: number, waiting: number, 
/**
 * What the provider takes; not known of a real one.
 */
capacity: number | null, state: LimiterState, };

export type Outcome = { text: string, success: boolean, 
/**
 * The law that was broken: a bug of the program, and this is its report.
 */
violation: string | null, };

export type Overview = { 
/**
 * With nothing absent; as a story has none, of a recording.
 */
settings: Settings, total: number, 
/**
 * When it began, in ms since 1970.
 */
epoch: number, 
/**
 * In ms since the start.
 */
at: Array<From<number>>, phases: Array<From<Phase>>, turns: Array<From<string>>, marks: Array<Mark>, levels: Array<From<Level>>, outcome: Outcome, };

export type Line = { name: string, text: string, };

export type Happened = { event: Line, effects: Array<Line>, };

export type Notice = { 
/**
 * In ms since the start.
 */
at: number, text: string, };

export type Ceilings = { iterations: number, withoutProgress: number, minutes: number, tokens: number, };

export type SessionPicture = { id: string, parent: string | null, agent: string, title: string, state: string, leaked: boolean, };

export type TimerPicture = { owner: string, purpose: string, 
/**
 * From now, in ms.
 */
due: number, leaked: boolean, };

export type Picture = { n: number, 
/**
 * In ms since the start.
 */
at: number, 
/**
 * The program runs: it does not between a crash and the restart.
 */
alive: boolean, happened: Array<Happened>, notes: Array<string>, violation: string | null, mission: MissionView | null, 
/**
 * The mission's phase in words.
 */
phase: string, ceilings: Ceilings, tasks: Array<TaskView>, sessions: Array<SessionPicture>, timers: Array<TimerPicture>, limits: Array<KeyView>, capacity: number | null, 
/**
 * Sessions and timers that nobody owns and nobody will release.
 */
leaks: number, 
/**
 * Bytes in the plugin's files.
 */
journal: number, notices: Array<Notice>, why: Reasons, };

export type Fact = { name: string, value: string, };

export type Why = { n: number, 
/**
 * In ms since the start.
 */
at: number, 
/**
 * `mission`, or `limit` for those of the concurrency controller.
 */
by: string, rule: string, 
/**
 * What was decided.
 */
text: string, 
/**
 * What the rule is for.
 */
law: string, facts: Array<Fact>, };

export type Reasons = { past: number, of: number, 
/**
 * The newest of them, newest first.
 */
newest: Array<Why>, };

export type Difference = { n: number, 
/**
 * In ms since the start.
 */
at: number, 
/**
 * What the journal says; nothing when today's rules decided something more.
 */
recorded: string | null, today: string | null, };
