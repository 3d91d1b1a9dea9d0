// The callbacks that the engine imports, carried out with OpenCode's client. They decide nothing.
import { runCheck } from "./check";
import { callFault, messageOf } from "./fault";
import { DELEGATING } from "./delegation";
import type { ChildSession, Fault, LastTurn, Todo } from "./generated/contract";
import type { JournalFolder } from "./journal";
import { endingOf, todosOf } from "./normalise";
import type { Answer, Client, OpenCodeEvent } from "./opencode";
import { newMessageId, type Message, type MessageInfo, type PromptBody } from "./opencode";
import type { EngineHost } from "./runtime";

/** A client call that takes longer than this is taken to have failed. Milliseconds. */
const CALL_TIMEOUT_MS = 30_000;
/** Messages read to find the last turn's end: a few may be queued behind it. */
const MESSAGES_READ = 20;
/** The longest time a timer takes. Milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** A prompt that is not stored by then is lost. Milliseconds. */
const STORE_WAIT_MS = 20_000;
const STORE_POLL_MS = 20;
/** The longest time that an abort waits for the prompt before it. Milliseconds. */
const ORDER_WAIT_MS = 1_000;
/** Attempts to get our agents back for the drain, and the wait between two. Milliseconds. */
const RELOAD_MAX = 20;
const RELOAD_PAUSE_MS = 100;
/** Of the notices from the start, so many are told again. */
const EARLY_SHOWN = 4;
/** How a prompt of ours is told from a person's. */
export const OUR_MARK = "orchestrator";

/** A prompt handed to OpenCode. */
interface Handed {
  id: string;
  at: number;
  /** It is not stored yet. */
  coming: boolean;
}

export interface CallbackSettings {
  directory: string;
  journal: JournalFolder;
  /** The newest client: it changes when OpenCode starts a second instance of the project. */
  client(): Client;
  /** Runs once client calls are allowed; at once when they are already. */
  whenReady(action: () => void): void;
  /** Client calls are not allowed yet. */
  isStarting(): boolean;
  /** The process is ending and waits for the mission. */
  isDraining(): boolean;
  isHeadless: boolean;
  wantsToasts(): boolean;
  onAlarm(): void;
  /** A task tool's call is answered. */
  onAnswer(session: string, call: string, text: string, failed: boolean): void;
}

export class Callbacks implements EngineHost {
  /** The last prompt handed to each session, for handing it over again. */
  private readonly handed = new Map<string, Handed>();
  /** Called at the next sign of a turn, by session. */
  private readonly begun = new Map<string, () => void>();
  private readonly idle = new Set<string>();
  /** Sessions that were created for tasks: the process does not end at their idle. */
  private readonly ourChildren = new Set<string>();
  private beginDrain: (() => void) | undefined;
  private readonly drainBegun = new Promise<void>((resolve) => (this.beginDrain = resolve));
  private readonly running = new Set<Promise<unknown>>();
  private readonly early: string[] = [];
  /** The completion commands that run, by their request. */
  private readonly checks = new Map<number, AbortController>();
  private aborts: Promise<unknown> = Promise.resolve();
  /** Aborts under way, by session. */
  private readonly aborting = new Map<string, Promise<unknown>>();
  /** Prompts asked for so far. */
  prompts = 0;
  private alarm: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly settings: CallbackSettings) {}

  now(): number {
    return performance.timeOrigin + performance.now(); // no step of the system's clock can stop the timers
  }

  async prompt(request: Parameters<EngineHost["prompt"]>[0]): Promise<unknown> {
    if (this.isHeld(request.session)) await this.drainBegun;
    return this.promptNow(request);
  }

  /** At the idle `opencode run` begins to end, and what is sent meanwhile is lost in it: it waits for the drain. */
  private isHeld(session: string): boolean {
    const { isHeadless, isDraining } = this.settings;
    const ends = isDraining() || (this.idle.has(session) && !this.ourChildren.has(session));
    return isHeadless && this.beginDrain !== undefined && ends;
  }

  private promptNow({
    session,
    agent,
    model,
    text,
    redrive,
  }: Parameters<EngineHost["prompt"]>[0]): Promise<unknown> {
    this.prompts += 1;
    const known = redrive ? this.handed.get(session)?.id : undefined;
    const handed: Handed = { id: known ?? newMessageId(), at: Date.now(), coming: true };
    this.handed.set(session, handed);
    const send = async () => {
      // a stored message without an answer is answered when it is sent again with its id and no parts
      const isStored = redrive && (await this.isStored(session, handed, known !== undefined));
      const part: PromptBody["parts"][0] = {
        type: "text",
        text,
        synthetic: true,
        metadata: { [OUR_MARK]: true },
      };
      return this.handOver(session, {
        messageID: handed.id,
        ...(agent ? { agent } : {}),
        ...(model ? { model: { providerID: model.provider, modelID: model.model } } : {}),
        parts: isStored ? [] : [part],
      });
    };
    const work = this.track(send());
    work.catch(() => (handed.coming = false));
    return work;
  }

  /**
   * Whether a prompt of ours is stored: one that waits for its answer, perhaps from before a restart, else the last one
   * handed over, which asks for nothing any more. `handed` is that one then.
   */
  private async isStored(session: string, handed: Handed, isKnown: boolean): Promise<boolean> {
    const messages = (await this.messages(session)) ?? [];
    const answered = messages.findLastIndex(({ info }) => info?.role === "assistant");
    const waiting = messages
      .slice(answered + 1)
      .findLast(({ parts }) => parts?.some((part) => part.metadata?.[OUR_MARK] === true));
    if (waiting?.info?.id) {
      handed.id = waiting.info.id;
      return true;
    }
    if (!isKnown) return false;
    // asked for by its id: it may be older than the newest messages, and one that never arrived must not be sent empty
    const path = { id: session, messageID: handed.id };
    const found = await within(this.settings.client().session.message({ path }));
    return !found.error && found.data !== undefined;
  }

  private async isBusy(session: string): Promise<boolean> {
    const status = await checked(this.settings.client().session.status());
    return (status?.[session]?.type ?? "idle") !== "idle";
  }

  /** The newest messages, the oldest of them first. */
  private messages(session: string): Promise<Message[] | undefined> {
    const request = { path: { id: session }, query: { limit: MESSAGES_READ } };
    return checked(this.settings.client().session.messages(request));
  }

  private handOver(session: string, body: PromptBody): Promise<unknown> {
    const request = { path: { id: session }, body };
    const { client } = this.settings;
    if (!this.settings.isDraining()) return checked(client().session.promptAsync(request));
    // while the process ends only the blocking form gets a turn; it is accepted when that begins
    return new Promise((resolve, reject) => {
      this.begun.set(session, () => resolve(undefined));
      this.track(checked(client().session.prompt(request), Infinity).then(resolve, reject));
    });
  }

  /** Follows the prompts handed over through OpenCode's own events. */
  onEvent({ type, properties }: OpenCodeEvent): void {
    if (type === "message.updated") {
      const { id, sessionID } = (properties["info"] ?? {}) as MessageInfo;
      const last = this.handed.get(sessionID ?? "");
      if (last && last.id === id) last.coming = false;
    } else if (type === "session.idle") {
      this.idle.add(properties["sessionID"] as string);
    } else if (type === "session.status") {
      const session = properties["sessionID"] as string;
      if ((properties["status"] as { type?: string } | undefined)?.type !== "busy") return;
      this.idle.delete(session);
      if (this.isComing(session)) return; // that is still the turn before
      this.begun.get(session)?.();
      this.begun.delete(session);
    }
  }

  /** Other plugins may hold a prompt up after it was accepted: until it is stored it can't be found by a lookup. */
  private isComing(session: string): boolean {
    const last = this.handed.get(session);
    return last !== undefined && last.coming && Date.now() - last.at < STORE_WAIT_MS;
  }

  /** Resolves when no prompt is on its way any more. */
  async stored(): Promise<void> {
    while ([...this.handed.keys()].some((session) => this.isComing(session))) await pause(STORE_POLL_MS);
  }

  /** An abort or a deletion must not overtake the prompt before it: what is stored after an abort gets its turn. */
  private async behindPrompt(session: string): Promise<void> {
    const end = Date.now() + ORDER_WAIT_MS;
    while (this.isComing(session) && Date.now() < end) await pause(STORE_POLL_MS);
  }

  /**
   * Makes OpenCode load the plugins again. While it disposes an instance it forgets what they added, and reads its
   * agents anew when they are first asked for: perhaps without ours. Disposed of once more it does both in order.
   */
  async reloadPlugins(agents: readonly string[]): Promise<void> {
    const { client } = this.settings;
    for (let attempt = 0; attempt < RELOAD_MAX; attempt++) {
      try {
        await within(client().provider.auth());
        const known = new Set((await checked(client().app.agents()))?.map(({ name }) => name));
        if (agents.every((name) => known.has(name))) return;
        await within(client().instance.dispose());
      } catch (error) {
        this.log("warning", `plugins could not be reloaded: ${messageOf(error)}`);
      }
      await pause(RELOAD_PAUSE_MS);
    }
  }

  /** The process ends and OpenCode is ready for the mission's last turns: held prompts go out. */
  drain(): void {
    this.beginDrain?.();
    this.beginDrain = undefined;
  }

  async todos(session: string): Promise<Todo[]> {
    return todosOf(await checked(this.settings.client().session.todo({ path: { id: session } })));
  }

  async lastTurn(session: string): Promise<LastTurn> {
    const [messages, isBusy] = await Promise.all([this.messages(session), this.isBusy(session)]);
    const infos = (messages ?? [])
      .map(({ info }) => info)
      .filter((info): info is MessageInfo => info !== undefined);
    const at = infos.findLastIndex((info) => info.role === "assistant");
    const last = infos[at];
    return {
      busy: isBusy || this.isComing(session),
      assistant: last?.id
        ? { message: last.id, ending: endingOf(last), summary: last.summary === true }
        : null,
      unanswered: infos.slice(at + 1).some((info) => info.role === "user"),
    };
  }

  abort(session: string): Promise<unknown> {
    const call = this.track(this.abortNow(session));
    this.aborts = Promise.allSettled([this.aborts, call]);
    const settled = Promise.allSettled([call]).then(() => {
      if (this.aborting.get(session) === settled) this.aborting.delete(session);
    });
    this.aborting.set(session, settled);
    return call;
  }

  private async abortNow(session: string): Promise<unknown> {
    if (this.isComing(session)) await this.behindPrompt(session);
    return checked(this.settings.client().session.abort({ path: { id: session } }));
  }

  /** Resolves when no abort is under way. */
  async aborted(): Promise<void> {
    await this.aborts;
  }

  /** The text of the newest assistant message that has one, after the newest user message. */
  async result(session: string): Promise<string> {
    const messages = (await this.messages(session)) ?? [];
    for (const { info, parts } of messages.toReversed()) {
      if (info?.role === "user") break;
      if (info?.summary === true) continue;
      const shown = (parts ?? []).filter((part) => part.type === "text" && !part.synthetic && !part.ignored);
      const text = shown.map((part) => part.text ?? "").join("\n");
      if (text.trim() !== "") return text;
    }
    return "";
  }

  async children(session: string): Promise<ChildSession[]> {
    const found = (await checked(this.settings.client().session.children({ path: { id: session } }))) ?? [];
    return found.flatMap(({ id, title }) => (id ? [{ session: id, title: title ?? "" }] : []));
  }

  async createSession(request: Parameters<EngineHost["createSession"]>[0]): Promise<unknown> {
    const { parent, title, mayDelegate } = request;
    const denied = mayDelegate ? [] : DELEGATING;
    const permission = denied.map((permission) => ({ permission, pattern: "*", action: "deny" as const }));
    const created = await checked(
      this.settings.client().session.create({ body: { parentID: parent, title, permission } }),
    );
    if (created?.id) this.ourChildren.add(created.id);
    return created?.id;
  }

  deleteSession(session: string): Promise<unknown> {
    this.ourChildren.delete(session);
    return this.track(this.deleteNow(session));
  }

  private async deleteNow(session: string): Promise<unknown> {
    if (this.isComing(session)) await this.behindPrompt(session);
    return checked(this.settings.client().session.delete({ path: { id: session } }));
  }

  /** An answer does not overtake the abort before it: with it the turn would go on until the abort is there. */
  answerTool(session: string, call: string, text: string, failed: boolean): void {
    const answer = () => this.settings.onAnswer(session, call, text, failed);
    const abort = this.aborting.get(session);
    if (abort) void Promise.race([abort, pause(ORDER_WAIT_MS)]).then(answer);
    else answer();
  }

  runCheck({ id, command, timeoutMs }: Parameters<EngineHost["runCheck"]>[0]): Promise<unknown> {
    const stopper = new AbortController();
    this.checks.set(id, stopper);
    const check = runCheck(command, this.settings.directory, timeoutMs, stopper.signal);
    return this.track(check.finally(() => this.checks.delete(id)));
  }

  stopCheck(id: number): void {
    this.checks.get(id)?.abort("its mission has ended");
  }

  setAlarm(at?: number): void {
    clearTimeout(this.alarm);
    if (at === undefined) return;
    const wait = Math.min(Math.max(at - this.now(), 0), MAX_TIMER_MS);
    this.alarm = setTimeout(() => this.settings.onAlarm(), wait);
  }

  notify(_session: string, level: string, message: string): void {
    if (this.settings.isHeadless) process.stderr.write(`${message}\n`);
    this.log(level, message);
    if (!this.settings.wantsToasts()) return;
    if (this.settings.isStarting()) this.early.push(message);
    this.toast(level, message);
  }

  /** Tells again what was told at the start: OpenCode's screen was probably not there yet. */
  remind(): void {
    if (this.early.length === 0) return;
    const more = this.early.length - EARLY_SHOWN;
    const lines = [
      ...this.early.slice(0, EARLY_SHOWN),
      ...(more > 0 ? [`… and ${more} more, in OpenCode's log`] : []),
    ];
    this.toast("warning", lines.join("\n"));
  }

  /** The person is there and has gone on. */
  dismiss(): void {
    this.early.length = 0;
  }

  private toast(variant: string, message: string): void {
    const body = { title: "Orchestrator", message, variant };
    this.later(() => this.settings.client().tui.showToast({ body }));
  }

  log(level: string, message: string): void {
    const names: Record<string, string> = { warning: "warn", error: "error" };
    const body = { service: "orchestrator", level: names[level] ?? "info", message };
    this.later(() => this.settings.client().app.log({ body }));
  }

  journal(mission: number, text: Uint8Array, replace: boolean, ended: boolean): void {
    this.settings.journal.write({ mission, text, replace, ended });
  }

  journalTasks(session: string, text: Uint8Array, replace: boolean, ended: boolean): void {
    this.settings.journal.writeTasks({ session, text, replace, ended });
  }

  /** Resolves when no prompt, abort, deletion or check is under way. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled([...this.running]);
  }

  /** Stops the alarm and whatever check runs. */
  close(): void {
    clearTimeout(this.alarm);
    this.dismiss();
    for (const check of this.checks.values()) check.abort("OpenCode is ending");
  }

  /** Prompts come first: a notice is sent when the current events are done. */
  private later(call: () => Promise<unknown>): void {
    this.settings.whenReady(() =>
      setImmediate(
        () =>
          void Promise.resolve()
            .then(call)
            .catch(() => undefined),
      ),
    );
  }

  private track<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const forget = () => this.running.delete(work);
    work.then(forget, forget);
    return work;
  }
}

/** The data of a client's answer; throws a `Fault` when it has none to give. */
async function checked<T>(call: Promise<Answer<T>>, timeoutMs = CALL_TIMEOUT_MS): Promise<T | undefined> {
  const answer = await within(call, timeoutMs);
  if (answer.error !== undefined) throw callFault(answer.error, answer.response?.status);
  return answer.data;
}

async function within<T>(call: Promise<T>, timeoutMs = CALL_TIMEOUT_MS): Promise<T> {
  if (timeoutMs === Infinity) return call;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    const fault: Fault = { timeout: { message: `OpenCode did not answer within ${timeoutMs / 1000} s` } };
    timer = setTimeout(() => reject(fault), timeoutMs);
  });
  try {
    return await Promise.race([call, limit]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
