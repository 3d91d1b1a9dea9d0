// One OpenCode project: the engine with its callbacks, and the hooks that feed it. It outlives an OpenCode instance
// only while `opencode run` is ending: OpenCode then starts a second instance, which attaches to it.
import { Callbacks, OUR_MARK, pause } from "./callbacks";
import { Edits } from "./code/edits";
import { SyntaxTools } from "./code/syntax";
import { CodeTools } from "./code/tools";
import { configure } from "./config";
import { Delegation, modelOf } from "./delegation";
import { isObject, messageOf } from "./fault";
import { AGENTS } from "./generated/agents";
import type { Command, Model } from "./generated/contract";
import { JournalFolder } from "./journal";
import { Normaliser, type Normalised } from "./normalise";
import {
  isHeadlessRun,
  type Client,
  type CommandPart,
  type Hooks,
  type OpenCodeEvent,
  type PluginInput,
} from "./opencode";
import { compileEngine, Runtime, type Orchestrator } from "./runtime";
import { toolCall } from "./tools";

/** How often a held hook looks whether it may go on. Milliseconds. */
const HOLD_POLL_MS = 20;
/** OpenCode's instance is up by then, also when nothing happens in it. Milliseconds. */
const READY_MS = 1_500;
/** When the notices from the start are told again: the TUI's screen takes a while to come up. Milliseconds. */
const REMIND_MS = [5_000, 10_000];
/** How often the drain of `opencode run` looks whether a mission is still active. Milliseconds. */
const DRAIN_POLL_MS = 50;

export class Project {
  private draining = false;
  private isClosed = false;
  private client: Client;
  private readonly directory: string;
  private readonly headless = isHeadlessRun();
  private readonly normaliser = new Normaliser();
  private readonly callbacks: Callbacks;
  private readonly journal: JournalFolder;
  private readonly runtime: Runtime;
  private readonly delegation: Delegation;
  private readonly code: CodeTools;
  private readonly syntax: SyntaxTools;
  private readonly edits: Edits;
  /** The model of each session's newest message. */
  private readonly models = new Map<string, Model>();
  /** Actions that wait until client calls are allowed; undefined when they are. */
  private waiting: (() => void)[] | undefined = [];
  private ourCommands = new Set<string>();
  private ourAgents: string[] = [];
  /** Sessions whose next user message is the text of a command of ours. */
  private readonly commanded = new Set<string>();
  private started = new Set<number>();
  /** Missions that ended in earlier processes. */
  private readonly earlier = new Set<number>();
  /** All entries of the plugin are read: the options are in use. */
  private hasBegun = false;
  /** What was going on here did not survive a failure of the engine. */
  private isLost = false;
  /** A mission was asked for here. */
  private isAsked = false;
  /** Why there is no engine any more. */
  private off: string | undefined;

  constructor(
    input: PluginInput,
    private options: unknown,
  ) {
    this.client = input.client;
    this.directory = input.directory;
    const current = () => this.options;
    const engine = {
      root: input.directory,
      get options() {
        return current();
      },
    };
    this.code = new CodeTools(engine);
    this.syntax = new SyntaxTools(engine);
    this.edits = new Edits(input.directory, this.syntax);
    this.journal = new JournalFolder(input.directory, (message, to) => {
      if (to === "person") this.callbacks.notify("", "warning", message);
      else this.callbacks.log("warning", message);
    });
    this.callbacks = new Callbacks({
      directory: input.directory,
      journal: this.journal,
      client: () => this.client,
      whenReady: (action) => (this.waiting ? void this.waiting.push(action) : action()),
      isStarting: () => this.waiting !== undefined,
      isDraining: () => this.draining,
      isHeadless: this.headless,
      wantsToasts: () => this.runtime.look((o) => o.wantsToasts(), true),
      onAlarm: () => this.runtime.handle("alarm"),
      onAnswer: (...answer) => this.delegation.answer(...answer),
    });
    this.delegation = new Delegation({
      handle: (event) => this.runtime.handle(event),
      prepare: (session) => {
        this.runtime.start();
        this.restoreTasks(session);
      },
      agents: async () => (await this.client.app.agents()).data ?? [],
      modelOf: (session) => this.models.get(session) ?? null,
      isAlive: () => this.runtime.isAlive,
    });
    this.runtime = new Runtime({
      host: this.callbacks,
      get options() {
        return current() ?? {};
      },
      seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 1,
      interactive: !this.headless,
      journals: () => this.journal.texts(),
      lastMission: () => this.journal.lastMission(),
      onTrap: (message, isFirst) => this.onTrap(message, isFirst),
      onLost: (path, error) => {
        this.isLost = true;
        this.journal.setAside(path, error);
      },
      onOff: (message) => {
        this.isLost = true;
        this.off = `The orchestrator is off until OpenCode is started again: ${message}`;
        this.callbacks.notify("", "error", this.off);
        this.delegation.stop();
      },
      onRecovered: () =>
        this.delegation.answerLost((session, call) =>
          this.runtime.look((o) => o.hasCall(session, call), false),
        ),
    });
    setTimeout(() => this.becomeReady(), READY_MS).unref();
    if (!this.headless) for (const ms of REMIND_MS) setTimeout(() => this.callbacks.remind(), ms).unref();
  }

  /**
   * The options of another entry of the plugin. OpenCode calls all entries before the first config hook, the global
   * configuration's first and the project's last, and of two that are the same it takes the last: so it is here.
   */
  override(options: unknown): void {
    if (this.hasBegun || options === undefined) return;
    if (JSON.stringify(options) === JSON.stringify(this.options)) return;
    this.options = options;
    this.callbacks.log(
      "info",
      "The plugin is configured more than once: the last entry's options are in force.",
    );
  }

  /** Called when all entries of the plugin are read. */
  private async begin(): Promise<void> {
    if (this.hasBegun) return;
    this.hasBegun = true;
    await this.resume();
    if (this.options === undefined) return;
    if (this.waiting) this.waiting.push(() => void this.checkOptions());
    else void this.checkOptions();
  }

  /** The user set how deep delegation goes. */
  private get nests(): boolean {
    return group(this.options, "tasks")?.["maxDepth"] !== undefined;
  }

  /** The user wants no journal. */
  private get forgets(): boolean {
    return group(this.options, "journal")?.["enabled"] === false;
  }

  /** Takes up what an earlier process left unfinished. */
  private async resume(): Promise<void> {
    await this.safelyAwait(async () => {
      const unfinished = this.journal.unfinished();
      if (unfinished.length > 0) await compileEngine();
      for (const { path, text } of unfinished) {
        this.journal.adopt(path, () => this.runtime.restore(text));
      }
      const views = this.views();
      this.started = new Set(views.map(({ id }) => id));
      for (const { id, phase } of views) if (phase === "ended") this.earlier.add(id);
    });
  }

  /** A second instance of the same project, started by OpenCode while this one drains. */
  attach(client: Client): void {
    this.client = client;
  }

  /** `opencode run` starts a second instance only while it ends the first. */
  get outlivesInstance(): boolean {
    return this.headless;
  }

  isFor(client: Client): boolean {
    return this.client === client;
  }

  /** The tasks that the session delegated in an earlier process. */
  private restoreTasks(session: string): void {
    if (this.runtime.look((o) => o.hasTasks(session), false)) return;
    this.journal.restoreTasks(session, (text) => this.runtime.restore(text));
  }

  private onTrap(message: string, isFirst: boolean): void {
    const forgets = this.forgets || this.journal.isIncomplete;
    if (forgets) this.isLost = true;
    if (!forgets && !isFirst) return;
    const lost = forgets ? " What was going on is lost: there is no whole journal of it." : "";
    this.callbacks.notify("", "error", `The orchestrator failed (${message}) and was started afresh.${lost}`);
  }

  /** A mission that ended in the session in an earlier process, for `/mission`. */
  private recall(session: string): void {
    const known = this.views();
    if (known.some((view) => view.session === session)) return;
    const text = this.journal.ended(session);
    if (text === undefined) return;
    this.runtime.restore(text);
    for (const { id } of this.views()) if (!known.some((view) => view.id === id)) this.earlier.add(id);
  }

  /** Tells what is wrong with the options, once OpenCode has started and without holding it up. */
  private async checkOptions(): Promise<void> {
    await compileEngine();
    if (this.isClosed) return;
    for (const message of this.runtime.call((o) => o.optionMessages(), [])) {
      this.callbacks.notify("", "warning", message);
    }
  }

  private views(): {
    id: number;
    session: string;
    active: boolean;
    success: boolean;
    verdict: string | null;
    phase: string;
  }[] {
    return this.runtime.look((o) => o.views(), []) as ReturnType<Project["views"]>;
  }

  // ---- hooks ------------------------------------------------------------------------------------------------

  /** The hooks for one OpenCode instance. Nothing in them throws, and nothing waits without a bound. */
  hooks(client: Client): Hooks {
    const current = () => this.client === client;
    return {
      config: async (config) => {
        await this.begin();
        if (this.nests) await compileEngine();
        this.safely(() => {
          const mayNest = this.nests && this.runtime.call((o) => o.mayNest(), false);
          this.ourCommands = configure(config, AGENTS, mayNest);
          this.ourAgents = AGENTS.map(({ name }) => name).filter((name) => !config.agent?.[name]?.disable);
        });
      },
      tool: { ...this.delegation.tools(), ...this.code.tools(), ...this.syntax.tools() },
      event: async ({ event }) => {
        // while draining OpenCode tells every event to both instances
        if (current()) this.safely(() => this.onEvent(event));
      },
      "chat.message": async ({ sessionID }, output) => {
        this.safely(() => this.onMessage(sessionID, output));
      },
      "command.execute.before": async (input, output) => {
        await this.safelyAwait(() => this.onCommand(input, output));
      },
      "tool.execute.before": async ({ sessionID, tool, callID }, { args }) => {
        this.safely(() => {
          if (this.wantsDiagnostics(sessionID)) this.edits.begin(sessionID, tool, callID, args);
        });
      },
      "tool.execute.after": async (input, output) => {
        await this.safelyAwait(() => this.onTool(input, output));
      },
      "experimental.text.complete": async ({ sessionID }, { text }) => {
        this.safely(() => this.runtime.look((o) => o.observeText(sessionID, text), undefined));
        // perhaps the turn's last text: in `opencode run` the tasks would be cut off behind it
        await this.safelyAwait(() => this.held((o) => o.holdsEnd(sessionID)));
      },
      "experimental.session.compacting": async ({ sessionID }, output) => {
        this.safely(() => {
          this.runtime.handle({ compacting: { session: sessionID } });
          const context = this.runtime.look((o) => o.compactionContext(sessionID), undefined);
          if (context !== undefined) output.context.push(context);
        });
      },
      "experimental.compaction.autocontinue": async ({ sessionID }, output) => {
        await this.safelyAwait(() => this.onContinuing(sessionID, output));
      },
      dispose: async () => {
        if ((current() || this.headless) && !this.draining) await this.safelyAwait(() => this.dispose());
      },
    };
  }

  /** Called by the registry when this project is at its end. */
  onDisposed: () => void = () => undefined;

  private onEvent(event: OpenCodeEvent): void {
    this.becomeReady();
    const normalised = this.normaliser.normalise(event);
    if (normalised) this.safely(() => this.deliver(normalised));
    this.callbacks.onEvent(event);
    if (this.draining && event.type === "permission.asked") this.answerForNobody(event.properties["id"]);
  }

  private deliver(event: Normalised): void {
    if (typeof event === "string" || !("rawTool" in event)) return this.runtime.handle(event);
    const { session, call } = event.rawTool;
    if (this.runtime.knows(session)) this.runtime.observeTool(session, call);
  }

  private onMessage(
    session: string,
    { message, parts }: Parameters<NonNullable<Hooks["chat.message"]>>[1],
  ): void {
    this.becomeReady();
    this.callbacks.dismiss();
    const model = modelOf(message.model);
    if (model) this.models.set(session, model);
    const stored = parts.length === 0; // handed over again, without parts
    if (stored || parts.some((part) => part.metadata?.[OUR_MARK] === true)) return;
    this.safely(() => this.restoreTasks(session));
    this.runtime.handle({
      userMessage: {
        session,
        origin: this.commanded.delete(session) ? "command" : "person",
        agent: message.agent ?? null,
        model,
      },
    });
  }

  private async onCommand(
    input: { command: string; sessionID: string; arguments: string },
    output: { parts: CommandPart[] },
  ): Promise<void> {
    this.becomeReady();
    if (!this.ourCommands.has(input.command)) return;
    await compileEngine();
    const argument = this.headless ? unwrap(input.arguments) : input.arguments;
    if (input.command === "task") this.isAsked = true;
    const command = commandOf(input.command, argument);
    if (command === "status") this.safely(() => this.recall(input.sessionID));
    const answer = this.runtime.command(input.sessionID, command) ?? this.offAnswer();
    if (!answer) return;
    const shown = { text: answer.shown ?? `/${input.command} ${argument}`.trim(), ignored: true };
    const template = output.parts.find((part) => part.type === "text");
    if (template) Object.assign(template, shown);
    else output.parts.push({ type: "text", ...shown });
    output.parts.push({ type: "text", text: answer.text, synthetic: true });
    this.commanded.add(input.sessionID);
    await this.callbacks.aborted(); // a stopped mission's turn ends before the command's own begins
  }

  /** A command's answer when there is no engine: else OpenCode would send the model what was typed. */
  private offAnswer(): { text: string; shown: string } | undefined {
    const { off } = this;
    const ask = "Show the line above to the person as it is. Use no tool and add nothing.";
    return off === undefined ? undefined : { text: `${off}\n\n${ask}`, shown: off };
  }

  private async onTool(
    input: { tool: string; sessionID: string; callID: string; args: unknown },
    output: { output?: unknown; metadata?: unknown },
  ): Promise<void> {
    const session = input.sessionID;
    if (!this.runtime.knows(session)) return;
    const call = toolCall(this.directory, input, output);
    if (this.wantsDiagnostics(session)) await this.edits.end(session, call);
    this.safely(() => this.runtime.observeTool(session, call));
    await this.held((o) => o.holds(session));
  }

  /** A mission concerns itself with the session and wants to know what its edits break. */
  private wantsDiagnostics(session: string): boolean {
    return this.runtime.look((o) => o.wantsDiagnostics(session), false);
  }

  /** A mission continues after a compaction in its own words, not in OpenCode's. */
  private async onContinuing(session: string, output: { enabled: boolean }): Promise<void> {
    if (!this.runtime.knows(session)) return;
    const before = this.callbacks.prompts;
    this.runtime.handle({ continuing: { session } });
    if (this.callbacks.prompts === before) return;
    output.enabled = false;
    await this.callbacks.settled();
  }

  // ---- the end ----------------------------------------------------------------------------------------------

  private async dispose(): Promise<void> {
    if (this.headless && this.isWorking()) {
      this.draining = true;
      await this.callbacks.reloadPlugins(this.ourAgents);
      await this.callbacks.settled();
      await this.callbacks.stored();
      this.runtime.handle({ shutdown: { drain: true } });
      this.callbacks.drain();
      while (this.isActive()) await pause(DRAIN_POLL_MS);
    }
    if (this.headless) {
      while (this.isActive()) await pause(DRAIN_POLL_MS); // sessions of tasks go out
      this.report();
    }
    this.runtime.handle({ shutdown: { drain: false } });
    this.waiting = undefined; // a client call after this would start another instance
    this.isClosed = true;
    this.callbacks.close();
    this.journal.close();
    await this.safelyAwait(() => this.code.close());
    await this.safelyAwait(() => this.syntax.close());
    this.onDisposed();
  }

  private isWorking(): boolean {
    return this.runtime.look((o) => o.isWorking(), false);
  }

  private isActive(): boolean {
    return this.runtime.look((o) => o.isActive(), false);
  }

  /** `opencode run` ends with 0 when the missions of this run are complete, and with 1 otherwise. A verdict was told. */
  private report(): void {
    const views = this.views().filter(({ id }) => !this.earlier.has(id));
    const own = views.filter(({ id, phase }) => !this.started.has(id) || phase !== "suspended");
    const last = own.at(-1);
    if (this.isLost && this.isAsked) process.exitCode = 1;
    if (!last) return;
    process.exitCode = last.success ? 0 : 1;
    if (!last.verdict) process.stderr.write(`Mission ${last.id} is not complete: ${last.phase}\n`);
  }

  /** While `opencode run` drains, nobody answers its permission requests any more; it refuses them, or allows with --auto. */
  private answerForNobody(id: unknown): void {
    if (typeof id !== "string") return;
    const reply = process.argv.includes("--auto") ? "once" : "reject";
    const headers = { "content-type": "application/json" };
    void this.client._client
      .post({ url: `/permission/${id}/reply`, body: { reply }, headers })
      .catch(() => undefined);
  }

  // ---- small tools ------------------------------------------------------------------------------------------

  /** Client calls dead-lock before OpenCode's instance is up; its first event or message says that it is. */
  private becomeReady(): void {
    const waiting = this.waiting;
    this.waiting = undefined;
    for (const action of waiting ?? []) action();
  }

  private async held(holds: (orchestrator: Orchestrator) => boolean): Promise<void> {
    while (this.runtime.look(holds, false)) await pause(HOLD_POLL_MS);
  }

  private safely(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.callbacks.log("error", messageOf(error));
    }
  }

  private async safelyAwait(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.callbacks.log("error", messageOf(error));
    }
  }
}

/** A group of the options, as the user wrote it. */
function group(options: unknown, name: string): Record<string, unknown> | undefined {
  const value = isObject(options) ? options[name] : undefined;
  return isObject(value) ? value : undefined;
}

function commandOf(name: string, text: string): Command {
  if (name === "task") return { task: { objective: text } };
  return name === "mission" ? "status" : "stop";
}

/**
 * `opencode run` puts an argument with blanks in quotes, and a backslash before each quote in it; a backslash of the
 * person's stays as it was.
 */
export function unwrap(text: string): string {
  const inner = /^"([^"]*(?:(?<=\\)"[^"]*)*)"$/.exec(text.trim())?.[1];
  return inner?.includes(" ") ? inner.replaceAll('\\"', '"') : text;
}
