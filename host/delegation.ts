// The task tools as OpenCode sees them. A call goes to the core as it is; the core checks it and answers it, at once or
// when the tasks have ended.
import { messageOf } from "./fault";
import type { AgentInfo, Event, Model, TaskTool } from "./generated/contract";
import type { Agent, ToolContext, ToolDefinition } from "./opencode";

const id = { type: "string", description: "Such as t1" };

/** Descriptions and arguments: they cost tokens in every request. */
const TOOLS: Record<TaskTool, { description: string; args: Record<string, unknown> }> = {
  delegate_task: {
    description:
      "Give tasks to sub-agents, which work in parallel. Waits for all results, in order; with background: true it returns at once and you are told when all have ended.",
    args: {
      tasks: {
        type: "array",
        items: {
          type: "object",
          properties: {
            agent: { type: "string", description: "Name of a subagent, such as worker" },
            description: { type: "string", description: "Short title" },
            prompt: { type: "string", description: "The whole task; the agent sees nothing else" },
            background: { type: "boolean" },
            resume: { type: "string", description: "A task that has ended, to go on in its session" },
          },
          required: ["agent", "description", "prompt"],
        },
      },
    },
  },
  get_task_result: {
    description: "Read a task's result, again if need be.",
    args: {
      task_id: id,
      offset: { type: "integer", description: "0, or where the page before ended" },
      wait_ms: { type: "integer", description: "Wait for the end, at most so long; 0: don't" },
    },
  },
  list_tasks: { description: "List the tasks of this session and their states.", args: {} },
  cancel_task: {
    description: "Stop a task, or all.",
    args: { task_id: { ...id, description: "Such as t1, or all" } },
  },
};

export const TASK_TOOLS = Object.keys(TOOLS) as TaskTool[];
/** Tools with which a session starts others. */
export const DELEGATING = ["delegate_task", "task"];
const STOPPED = "The orchestrator has stopped working; restart OpenCode.";
/** An aborted call that nobody answers is answered here. Milliseconds. */
const ABORT_WAIT_MS = 1_000;

export interface DelegationSettings {
  handle(event: Event): void;
  /** The tasks of a session from before are in memory after this. */
  prepare(session: string): void;
  agents(): Promise<readonly Agent[]>;
  modelOf(session: string): Model | null;
  /** There is an engine to answer calls. */
  isAlive(): boolean;
}

interface Pending {
  resolve(text: string): void;
  reject(error: Error): void;
}

export class Delegation {
  /** Calls without an answer, by session and call. */
  private readonly pending = new Map<string, Pending>();

  constructor(private readonly settings: DelegationSettings) {}

  tools(): Record<string, ToolDefinition> {
    return Object.fromEntries(
      TASK_TOOLS.map((tool) => [
        tool,
        { ...TOOLS[tool], execute: (args: unknown, context: ToolContext) => this.call(tool, args, context) },
      ]),
    );
  }

  /** The core's answer to a call. */
  answer(session: string, call: string, text: string, failed: boolean): void {
    const key = `${session} ${call}`;
    const pending = this.pending.get(key);
    this.pending.delete(key);
    if (failed) pending?.reject(new Error(text));
    else pending?.resolve(text);
  }

  /** Answers the calls that the engine knows nothing of: the answers were lost with the instance before. */
  answerLost(isKnown: (session: string, call: string) => boolean): void {
    for (const key of [...this.pending.keys()]) {
      const [session = "", call = ""] = key.split(" ");
      if (isKnown(session, call)) continue;
      this.answer(session, call, "The answer was lost; see list_tasks and ask again.", true);
    }
  }

  /** There is no engine any more that could answer. */
  stop(): void {
    for (const key of [...this.pending.keys()]) {
      const [session = "", call = ""] = key.split(" ");
      this.answer(session, call, STOPPED, true);
    }
  }

  private async call(tool: TaskTool, args: unknown, context: ToolContext): Promise<string> {
    const { sessionID: session, abort } = context;
    const call = context.callID ?? crypto.randomUUID();
    const agents = tool === "delegate_task" ? (await this.settings.agents()).map(agentInfo) : [];
    if (abort.aborted) throw new Error("Aborted.");
    return new Promise((resolve, reject) => {
      this.pending.set(`${session} ${call}`, { resolve, reject });
      abort.addEventListener("abort", () => this.onAbort(session, call), { once: true });
      try {
        this.settings.prepare(session);
        this.settings.handle({
          taskTool: {
            session,
            call,
            tool,
            args: JSON.stringify(args ?? {}),
            agent: context.agent ?? null,
            model: this.settings.modelOf(session),
            agents,
          },
        });
      } catch (error) {
        this.answer(session, call, messageOf(error), true);
      }
      if (!this.settings.isAlive()) {
        this.answer(session, call, STOPPED, true);
      }
    });
  }

  private onAbort(session: string, call: string): void {
    if (!this.pending.has(`${session} ${call}`)) return; // OpenCode aborts the signal of a call that is over, too
    this.settings.handle({ toolAborted: { session, call } });
    setTimeout(() => this.answer(session, call, "Aborted.", true), ABORT_WAIT_MS).unref();
  }
}

function agentInfo({ name = "", mode, model }: Agent): AgentInfo {
  return {
    name,
    delegable: mode !== "primary",
    model: modelOf(model),
  };
}

/** OpenCode's way to name a model as the core's. */
export function modelOf(model: { providerID?: string; modelID?: string } | undefined): Model | null {
  return model?.providerID && model.modelID ? { provider: model.providerID, model: model.modelID } : null;
}
