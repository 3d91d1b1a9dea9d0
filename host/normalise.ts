// OpenCode's events as the core's. What the core has no use for, nearly all of the traffic, is dropped here.
import { faultOf, isObject } from "./fault";
import type { Ending, Event, RawToolCall, Todo } from "./generated/contract";
import type { MessageInfo, OpenCodeEvent, Tokens } from "./opencode";
import { toolKind } from "./tools";

export type Normalised = Event | { rawTool: { session: string; call: RawToolCall } };

/** Keeps what is needed to tell a repeated event from a new one. One for each project. */
export class Normaliser {
  /** Last status by session: OpenCode repeats "busy" several times a turn. */
  private readonly status = new Map<string, string>();
  /** Last complete assistant message by session: OpenCode sends it twice. */
  private readonly finished = new Map<string, string>();
  /** Newest user message by session. */
  private readonly newest = new Map<string, string>();
  /** Sessions whose turn has begun and has put nothing out. */
  private readonly silent = new Set<string>();

  normalise({ type, properties }: OpenCodeEvent): Normalised | undefined {
    switch (type) {
      case "message.part.updated":
        return this.failedTool(properties["part"]) ?? this.firstOutput(properties["part"]);
      case "message.updated":
        return this.message(properties["info"] as MessageInfo | undefined);
      case "session.created": {
        const info = properties["info"];
        if (!isObject(info)) return undefined;
        const parent = text(info["parentID"]);
        const session = text(info["id"]);
        const title = text(info["title"]) ?? "";
        return parent && session ? { child: { parent, session, title } } : undefined;
      }
      case "session.deleted": {
        const session = text(
          isObject(properties["info"]) ? properties["info"]["id"] : properties["sessionID"],
        );
        if (!session) return undefined;
        this.status.delete(session);
        this.finished.delete(session);
        this.newest.delete(session);
        this.silent.delete(session);
        return { deleted: { session } };
      }
    }
    const session = text(properties["sessionID"]);
    if (!session) return undefined;
    switch (type) {
      case "session.status":
        return this.sessionStatus(session, properties["status"]);
      case "session.idle":
        this.status.set(session, "idle");
        this.silent.delete(session); // the text of the next prompt is no output
        return { idle: { session } };
      case "session.error":
        return { sessionError: { session, fault: faultOf(properties["error"]) } };
      case "session.compacted":
        return { compacted: { session } };
      case "todo.updated":
        return { todos: { session, todos: todosOf(properties["todos"]) } };
      case "permission.asked":
        return blocked(session, properties["id"], "permission");
      case "question.asked":
        return blocked(session, properties["id"], "question");
      case "permission.replied":
      case "question.replied":
      case "question.rejected": {
        const request = text(properties["requestID"]);
        const rejected = type === "question.rejected" || properties["reply"] === "reject";
        return request ? { unblocked: { session, request, rejected } } : undefined;
      }
    }
    return undefined;
  }

  private sessionStatus(session: string, status: unknown): Event | undefined {
    if (!isObject(status)) return undefined;
    const kind = text(status["type"]);
    const before = this.status.get(session);
    if (kind) this.status.set(session, kind);
    if (kind === "busy" && before !== "busy") {
      this.silent.add(session);
      return { busy: { session } };
    }
    if (kind === "retry") {
      const attempt = Number(status["attempt"]);
      const message = text(status["message"]) ?? "";
      this.silent.add(session);
      return {
        retrying: { session, attempt: attempt > 0 ? attempt : 0, message, retryAfterMs: retryAfter(status) },
      };
    }
    return undefined; // "idle" is told again, at once, by session.idle
  }

  private message(info: MessageInfo | undefined): Event | undefined {
    if (!info?.id || !info.sessionID) return undefined;
    const newest = this.newest.get(info.sessionID) ?? "";
    if (info.role === "user" && info.id > newest) this.newest.set(info.sessionID, info.id);
    if (info.role !== "assistant") return undefined;
    const ending = endingOf(info);
    if (ending === "unfinished") return undefined;
    const key = `${info.id} ${typeof ending === "string" ? ending : "failed"}`;
    if (this.finished.get(info.sessionID) === key) return undefined;
    this.finished.set(info.sessionID, key);
    // with a newer user message in wait this is no end: OpenCode's loop goes on with that one (ids ascend)
    const waiting = info.parentID !== undefined && info.parentID < newest;
    return {
      assistant: {
        session: info.sessionID,
        message: info.id,
        ending: waiting && ending === "natural" ? "step" : ending,
        summary: info.summary === true,
        tokens: sum(info.tokens),
        cost: typeof info.cost === "number" && info.cost > 0 ? info.cost : 0,
      },
    };
  }

  /** Told once a turn, and once again after each of the host's retries. */
  private firstOutput(part: unknown): Event | undefined {
    if (!isObject(part)) return undefined;
    const session = text(part["sessionID"]);
    const isOutput = ["text", "reasoning", "tool"].includes(String(part["type"]));
    return session && isOutput && this.silent.delete(session) ? { firstOutput: { session } } : undefined;
  }

  /** A failed tool call has no hook, only this event. */
  private failedTool(part: unknown): Normalised | undefined {
    if (!isObject(part) || part["type"] !== "tool") return undefined;
    const state = part["state"];
    const session = text(part["sessionID"]);
    if (!session || !isObject(state) || state["status"] !== "error") return undefined;
    const tool = text(part["tool"]) ?? "";
    const call: RawToolCall = {
      call: text(part["callID"]) ?? "",
      tool,
      kind: toolKind(tool),
      args: JSON.stringify(state["input"] ?? {}),
      output: text(state["error"]) ?? "error",
      failed: true,
      reads: [],
      writes: [],
      diagnostics: null,
    };
    return { rawTool: { session, call } };
  }
}

/** OpenCode's own waits before a retry: from this, doubled each time, up to the cap, and up to a quarter more. */
const OWN_WAIT_MS = 2_000;
const OWN_WAIT_MAX_MS = 30_000;

/** How long the provider asked to wait: what is not OpenCode's own wait is the provider's. */
function retryAfter({ attempt, next }: Record<string, unknown>): number | null {
  if (typeof next !== "number" || typeof attempt !== "number") return null;
  const wait = next - Date.now();
  const own = Math.min(OWN_WAIT_MS * 2 ** Math.max(attempt - 1, 0), OWN_WAIT_MAX_MS);
  return wait > 0 && (wait < own * 0.8 || wait > own * 1.3) ? Math.round(wait) : null;
}

/** How an assistant message ended. */
export function endingOf(info: MessageInfo): Ending {
  if (info.error) return { failed: { fault: faultOf(info.error) } };
  if (info.finish === "tool-calls") return "step";
  return info.finish ? "natural" : "unfinished";
}

/** The native todo list; an item of an unknown state counts as open. */
export function todosOf(value: unknown): Todo[] {
  if (!Array.isArray(value)) throw new Error("OpenCode's todo list is not a list");
  const states = new Set(["pending", "in_progress", "completed", "cancelled"]);
  return value.filter(isObject).map((todo) => {
    const status = text(todo["status"]) ?? "";
    return {
      content: text(todo["content"]) ?? "",
      status: (states.has(status) ? status : "pending") as Todo["status"],
    };
  });
}

function blocked(session: string, id: unknown, by: "permission" | "question"): Event | undefined {
  const request = text(id);
  return request ? { blocked: { session, request, by } } : undefined;
}

function sum(tokens: Tokens | undefined): number {
  const { input = 0, output = 0, reasoning = 0, cache } = tokens ?? {};
  const total = input + output + reasoning + (cache?.read ?? 0) + (cache?.write ?? 0);
  return Number.isFinite(total) && total > 0 ? Math.round(total) : 0;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
