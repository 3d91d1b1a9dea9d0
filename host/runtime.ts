// The wasm engine of one project, and what happens when it traps: the instance is given up, a fresh one takes the
// state over from the journals, each by itself, and the call is made again unless the journal has it already; the second
// time the missions are stopped. When no instance can be made there is no engine any more, and that is said.
import { instantiate } from "engine-glue";
import { compile, compileSync } from "./engine";
import { messageOf } from "./fault";
import type { Command, Effect, Event, RawToolCall } from "./generated/contract";

type Glue = ReturnType<typeof instantiate>;
export type Orchestrator = InstanceType<Glue["Orchestrator"]>;

/** The contents of one kind of effect. */
type Requested<Kind extends string> = Extract<Effect, Record<Kind, unknown>>[Kind];

/** The imported interface: the module's whole authority. See src/wasm/host.rs. */
export interface EngineHost {
  now(): number;
  prompt(request: Omit<Requested<"prompt">, "id">): Promise<unknown>;
  todos(session: string): Promise<unknown>;
  lastTurn(session: string): Promise<unknown>;
  result(session: string): Promise<unknown>;
  children(session: string): Promise<unknown>;
  abort(session: string): Promise<unknown>;
  createSession(request: Omit<Requested<"createSession">, "id">): Promise<unknown>;
  deleteSession(session: string): Promise<unknown>;
  runCheck(request: Requested<"runCheck">): Promise<unknown>;
  stopCheck(id: number): void;
  setAlarm(at?: number): void;
  answerTool(session: string, call: string, text: string, failed: boolean): void;
  notify(session: string, level: string, message: string): void;
  log(level: string, message: string): void;
  /** `text` is UTF-8 in the module's memory: written before this returns. */
  journal(mission: number, text: Uint8Array, replace: boolean, ended: boolean): void;
  /** The same for the tasks of a session. */
  journalTasks(session: string, text: Uint8Array, replace: boolean, ended: boolean): void;
}

export interface RuntimeSettings {
  host: EngineHost;
  options: unknown;
  seed: number;
  interactive: boolean;
  /** The unfinished missions' journals, for a fresh instance. */
  journals(): { path: string; text: string }[];
  /** The highest number that a mission of the project has had. */
  lastMission(): number;
  /** Called whenever an instance was given up for a fresh one. */
  onTrap(message: string, isFirst: boolean): void;
  /** Called when the fresh instance can't take over what a journal holds. */
  onLost(path: string, error: unknown): void;
  /** Called once, when no instance can be made: from then on there is no engine. */
  onOff(message: string): void;
  /** Called whenever a fresh instance has taken over: what the one before had still to say is lost. */
  onRecovered(): void;
}

/** What becomes of a slash command. */
interface CommandAnswer {
  /** Goes to the model in its place. */
  text: string;
  /** What the person sees, when it is not what they typed. */
  shown: string | null;
}

let compiled: WebAssembly.Module | undefined;
let compiling: Promise<void> | undefined;

/** The module, compiled once a process. */
function engineModule(): WebAssembly.Module {
  return (compiled ??= compileSync());
}

/** Compiles the module, once, beside what else goes on; `begun` does so already. */
export function compileEngine(begun?: Promise<WebAssembly.Module | undefined>): Promise<void> {
  return (compiling ??= (begun ?? compile()).then((module) => {
    compiled ??= module;
  }));
}

/** A fresh instance of the module's functions. */
export function load(queue: (task: () => void) => void = queueMicrotask): Glue {
  const glue = instantiate(queue);
  glue.initSync({ module: engineModule() });
  return glue;
}

/** Calls that must succeed after a trap before another one counts as a first again. */
const CALM_CALLS = 100;

/**
 * The engine, made at its first use: those who start OpenCode and do something else are spared it.
 * Before that there is no mission and no task, so nothing to tell it of and nothing to see.
 */
export class Runtime {
  private instance: Instance | undefined;
  private isStarted = false;
  private traps = 0;
  private calm = 0;
  private told = false;

  constructor(
    private readonly settings: RuntimeSettings,
    private readonly loader: typeof load = load,
  ) {}

  /** Calls the engine; `otherwise` when it can't be had any more. Errors that are not traps are thrown. */
  call<T>(use: (orchestrator: Orchestrator) => T, otherwise: T): T {
    this.start();
    return this.look(use, otherwise);
  }

  /** The same, but an engine that was not used yet is not made for it. */
  look<T>(use: (orchestrator: Orchestrator) => T, otherwise: T): T {
    let recovered = false;
    for (let attempt = 0; attempt < 2 && this.instance; attempt++) {
      const { orchestrator, gate } = this.instance;
      const { written } = gate;
      try {
        const result = use(orchestrator);
        if (recovered) this.settings.onRecovered();
        if (this.traps > 0 && ++this.calm >= CALM_CALLS) this.traps = 0;
        return result;
      } catch (error) {
        if (!isTrap(error)) throw error;
        this.recover(error);
        recovered = true;
        if (gate.written !== written) break; // the journal has the call: the fresh instance knows of it
      }
    }
    if (recovered && this.instance) this.settings.onRecovered();
    return otherwise;
  }

  /** Makes the engine, if it is not there yet. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    try {
      this.instance = this.make();
    } catch (error) {
      this.turnOff(error);
    }
  }

  /**
   * Takes up what an earlier process left in a journal: whether there was something, undefined when there is no engine.
   * Throws when the text can't be used. An engine that breaks at it is no fault of the missions that go on.
   */
  restore(journal: string): boolean | undefined {
    this.start();
    try {
      return this.instance?.orchestrator.restore(journal, false);
    } catch (error) {
      if (!isTrap(error)) throw error;
      this.renew();
      if (this.instance) this.settings.onRecovered();
      throw new Error(`the engine fails at it (${messageOf(error)})`);
    }
  }

  /** Whether there is an engine: there is none when no instance can be made. */
  get isAlive(): boolean {
    return this.instance !== undefined;
  }

  handle(event: Event): void {
    if (!this.instance) return;
    const text = JSON.stringify(event);
    this.look((orchestrator) => orchestrator.handle(text), undefined);
  }

  /** A finished tool call; nothing happens when no mission concerns itself with the session. */
  observeTool(session: string, call: RawToolCall): void {
    if (!this.instance) return;
    const text = JSON.stringify(call);
    this.look((orchestrator) => orchestrator.observeTool(session, text), undefined);
  }

  /** A slash command; undefined when there is no engine. */
  command(session: string, command: Command): CommandAnswer | undefined {
    const text = JSON.stringify(command);
    return this.call((orchestrator) => orchestrator.command(session, text) as CommandAnswer, undefined);
  }

  knows(session: string): boolean {
    return this.look((orchestrator) => orchestrator.knows(session), false);
  }

  private make(): Instance {
    const { host, options, seed, interactive } = this.settings;
    const gate: Gate = { open: true, written: 0 };
    const guarded = (task: () => void) =>
      queueMicrotask(() => {
        try {
          if (gate.open) task();
        } catch (error) {
          if (!gate.open) return;
          this.recover(error);
          if (this.instance) this.settings.onRecovered();
        }
      });
    const glue = this.loader(guarded);
    const orchestrator = new glue.Orchestrator(gated(host, gate), options, seed, interactive);
    orchestrator.countFrom(this.settings.lastMission());
    return { orchestrator, gate };
  }

  private recover(error: unknown): void {
    const message = messageOf(error);
    this.traps += 1;
    this.calm = 0;
    this.renew();
    try {
      const event: Event = { trapped: { message } };
      if (this.traps > 1) this.instance?.orchestrator.handle(JSON.stringify(event));
    } catch (again) {
      this.turnOff(again);
    }
    if (this.instance) this.settings.onTrap(message, !this.told);
    this.told = true;
  }

  /** Gives the instance up and lets a fresh one take over. */
  private renew(): void {
    const lost = new Set<string>();
    for (;;) {
      this.giveUp();
      try {
        const next = this.make();
        if (this.takeOver(next, lost)) {
          this.instance = next;
          return;
        }
      } catch (error) {
        this.turnOff(error);
        return;
      }
    }
  }

  /** Restores what the journals hold, one by one; false when the instance broke at one, which is `lost` now. */
  private takeOver({ orchestrator, gate }: Instance, lost: Set<string>): boolean {
    for (const { path, text } of this.settings.journals()) {
      if (lost.has(path)) continue;
      try {
        orchestrator.restore(text, true);
      } catch (error) {
        lost.add(path);
        this.settings.onLost(path, error);
        if (!isTrap(error)) continue;
        gate.open = false;
        return false;
      }
    }
    return true;
  }

  private giveUp(): void {
    if (this.instance) this.instance.gate.open = false;
    this.instance = undefined;
  }

  /** Without an engine the hooks do nothing, and OpenCode goes on. */
  private turnOff(error: unknown): void {
    this.giveUp();
    this.settings.onOff(messageOf(error));
  }
}

interface Instance {
  orchestrator: Orchestrator;
  gate: Gate;
}

/** Whether an instance is still the one in charge. */
interface Gate {
  open: boolean;
  /** Journal entries that it wrote. */
  written: number;
}

/** The host for one instance: once that is given up, what it asked for is answered to nobody. */
function gated(host: EngineHost, gate: Gate): EngineHost {
  return new Proxy(host, {
    get(target, name: keyof EngineHost) {
      const method = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        if (!gate.open) return undefined;
        if (name === "journal" || name === "journalTasks") gate.written += 1;
        const result = method.apply(target, args);
        if (!(result instanceof Promise)) return result;
        return new Promise((resolve, reject) => {
          result.then(
            (value) => gate.open && resolve(value),
            (error: unknown) => gate.open && reject(error),
          );
        });
      };
    },
  });
}

/** Whether the instance is broken. A malformed argument throws a plain Error and leaves it whole. */
function isTrap(error: unknown): boolean {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return true;
  return (
    error instanceof Error && /recursive use of an object|null pointer passed to rust/.test(error.message)
  );
}
