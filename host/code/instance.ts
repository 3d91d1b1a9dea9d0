// One instance of a code module over one tree, and what happens when it traps: it is given up, and a fresh one does the
// request again. What it knew was a cache.
import { instantiate as search } from "search-glue";
import { instantiate as syntax } from "syntax-glue";
import { instantiate as syntaxMore } from "syntax-more-glue";
import { messageOf } from "../fault";

/** The artefacts with code tools. */
const GLUES = { search, syntax, "syntax-more": syntaxMore };
export type Artefact = keyof typeof GLUES;

/** Shipped packed: large, and loaded only when a file needs it. As in tools/build.mjs. */
export const PACKED: Artefact = "syntax-more";

export type Code = InstanceType<ReturnType<typeof search>["Code"]>;

/** What the module imports; see src/wasm/code.rs. */
export interface Files {
  list(path: string, latin1: boolean): string;
  stat(path: string, latin1: boolean, into: Float64Array): number;
  read(path: string, latin1: boolean, offset: number, into: Uint8Array): number;
  real(path: string, latin1: boolean): string | undefined;
  linkedExclude(path: string, latin1: boolean): string | undefined;
  surroundings(): string;
  root(): string;
  now(): number;
}

/** What an instance is made for. */
export interface Settings {
  artefact: Artefact;
  /** The plugin options as the user wrote them. */
  options: unknown;
  /** Processors of this machine. */
  cores: number;
}

/** A request: its method, its arguments as JSON text, and which share of it is meant. */
export interface Request {
  method: string;
  args: string;
  index: number;
  of: number;
  /** The texts of all shares, to be put together. */
  parts?: string[];
}

/** `ok` and the answer, or what to tell instead. */
export interface Answer {
  ok: boolean;
  text: string;
}

export class Instance {
  private loaded: ReturnType<Instance["make"]>;
  private next = 1;

  constructor(
    private readonly settings: Settings,
    private readonly files: Files,
    private readonly module: WebAssembly.Module,
  ) {
    this.loaded = this.make();
  }

  private make() {
    const { artefact, options, cores } = this.settings;
    const glue = GLUES[artefact](queueMicrotask);
    const { memory } = glue.initSync({ module: this.module });
    return { glue, memory, code: new glue.Code(this.files, JSON.stringify(options ?? null), cores) };
  }

  /** Instances that the options want for a tree, with this one. */
  get workers(): number {
    return this.loaded.code.workers();
  }

  /** Bytes of the instance's memory. */
  get memoryBytes(): number {
    return this.loaded.memory.buffer.byteLength;
  }

  /**
   * Answers a request, in steps: each `yield` is a place to stop at or to let others go on.
   * Returning early from it cancels the request.
   */
  *serve(request: Request): Generator<undefined, Answer> {
    for (let attempt = 0; ; attempt++) {
      try {
        return yield* this.attempt(request);
      } catch (error) {
        this.loaded = this.make();
        if (attempt > 0) return { ok: false, text: `The search failed: ${messageOf(error)}.` };
      }
    }
  }

  private *attempt({ method, args, index, of, parts }: Request): Generator<undefined, Answer> {
    const { glue, code } = this.loaded;
    if (parts) return JSON.parse(glue.Code.merge(method, args, parts)) as Answer;
    const id = this.next++;
    let isDone = false;
    try {
      code.begin(id, method, args, index, of);
      for (;;) {
        const answer = code.step(id);
        if (answer !== undefined) {
          isDone = true;
          return JSON.parse(answer) as Answer;
        }
        yield;
      }
    } finally {
      if (!isDone) this.forget(code, id);
    }
  }

  private forget(code: Code, id: number): void {
    try {
      code.cancel(id);
    } catch {
      // it has trapped
    }
  }

  /** Works on the index for some milliseconds. Whether there is more to do. */
  idle(): boolean {
    try {
      return this.loaded.code.idle();
    } catch {
      this.loaded = this.make();
      return false;
    }
  }
}
