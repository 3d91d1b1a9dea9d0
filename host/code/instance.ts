// One instance of a code module over one tree, and what happens when it traps: it is given up, and a fresh one does the
// request again. What it knew was a cache.
import { instantiate as search } from "search-glue";
import { instantiate as syntax } from "syntax-glue";
import { instantiate as syntaxMore } from "syntax-more-glue";
import { instantiate as syntaxRules } from "syntax-rules-glue";
import { messageOf } from "../fault";
import { GuardedFiles } from "./guarded";

/** The artefacts with code tools. */
export const GLUES = { search, syntax, "syntax-rules": syntaxRules, "syntax-more": syntaxMore };
export type Artefact = keyof typeof GLUES;

export type Code = InstanceType<ReturnType<typeof search>["Code"]>;

/** What the module imports; see src/wasm/code.rs. */
export interface Files {
  list(path: string, latin1: boolean): string;
  stat(paths: string, latin1: boolean, into: Float64Array): void;
  read(path: string, latin1: boolean, offset: number, into: Uint8Array): number;
  real(path: string, latin1: boolean): string | undefined;
  linkedExclude(path: string, latin1: boolean): string | undefined;
  surroundings(): string;
  root(): string;
  now(): number;
  /** A request is over: nothing stays open for it. */
  rest?(): void;
  scout?: FilesScout;
  /** Not there where nobody tells of changes. */
  watch?(path: string, latin1: boolean, types: Uint32Array): number;
  watcher?: FilesWatcher;
}

/** What the module imports to be told of changes; and what its host does for that. */
export interface FilesWatcher {
  unwatch(watch: number): void;
  limit(): number;
  changes(): string;
  /** What happened so far will be among the changes afterwards; none where it is already. */
  settle(): Promise<void> | undefined;
  /** All watches end. */
  close(): void;
}

/** The module's way to a second thread; see `Imported` in src/wasm/code.rs. */
export interface FilesScout {
  isThere(): boolean;
  /** Bytes; 0 before it can search. */
  memory(): number;
  call(toSearch: boolean): void;
  openAhead(first: number, paths: Uint8Array): boolean;
  readAhead(number: number, into: Uint8Array): number;
  /** Of a file that was to be opened. */
  pathAhead(number: number): string | undefined;
  send(number: number, parcel: Uint8Array): void;
  hasBegun(sent: number): boolean;
  takeBack(sent: number): number;
  receive(waitMs: number): string | undefined;
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

/** An answer as the module writes it. */
const answerOf = (text: string): Answer => ({ ok: text.startsWith("+"), text: text.slice(1) });

/** A function that uses a vector instruction. */
const VECTORS = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);
/** Bun has none on x86 processors without AVX, Node on those from before 2008. */
const hasVectors = () => WebAssembly.validate(VECTORS);

/** The file that has an artefact for this runtime; see MODULES in tools/build.mjs. */
export function fileOf(artefact: Artefact) {
  switch (artefact) {
    case "search":
      return hasVectors() ? "search.wasm" : "search-plain.wasm.br";
    case "syntax":
      return "syntax.wasm";
    case "syntax-rules":
    case "syntax-more":
      return `${artefact}.wasm.gz`;
  }
}
export type ArtefactFile = ReturnType<typeof fileOf>;

/** The file beside it with its data, for a module that has it there: see data.ts. */
export const dataFileNameOf = (artefact: Artefact) =>
  artefact === "search" ? "search.data.gz" : (`${artefact}.data` as const);

/** Instances that one request may cost. */
const MAX_LOST = 3;
const gaveUp = (attempts: number, reason: string) =>
  `The code module failed ${attempts} times at this request (${reason}) and was started anew. Others are not affected: ask for less of the tree, or with another pattern.`;

export class Instance {
  private loaded: ReturnType<Instance["make"]>;
  private next = 1;
  private readonly files: GuardedFiles;

  constructor(
    private readonly settings: Settings,
    files: Files,
    readonly module: WebAssembly.Module,
    /** Puts into a fresh memory the data that the module's file lacks. */
    private readonly fill?: (memory: WebAssembly.Memory) => void,
  ) {
    this.files = new GuardedFiles(files);
    this.loaded = this.make();
  }

  private make() {
    const { artefact, options, cores } = this.settings;
    this.files.close(); // it knows of no watches
    const glue = GLUES[artefact](queueMicrotask, this.fill);
    const { memory } = glue.initSync({ module: this.module });
    return { glue, memory, code: new glue.Code(this.files, JSON.stringify(options ?? null), cores) };
  }

  /** Instances that the options want for a tree, with this one. */
  get workers(): number {
    return this.loaded.code.workers();
  }

  /** What happened to the files so far is known afterwards; none where it is already. */
  settle(): Promise<void> | undefined {
    return this.files.settle();
  }

  /** Nothing is watched any more. */
  close(): void {
    this.files.close();
  }

  /** Bytes of the instance's memory, and of its scout's. */
  get memoryBytes(): number {
    return this.loaded.memory.buffer.byteLength + Math.max(this.files.scoutMemory(), 0);
  }

  /**
   * Answers a request, in steps: each `yield` is a place to stop at or to let others go on.
   * Returning early from it cancels the request.
   */
  *serve(request: Request): Generator<undefined, Answer> {
    for (let attempt = 0; ; attempt++) {
      this.files.begin();
      try {
        return yield* this.attempt(request);
      } catch (error) {
        this.loaded = this.make();
        // a file that the module can't bear is left out of the request, which goes on without it
        const isBlamed = this.files.blame();
        if (attempt >= MAX_LOST || (attempt > 0 && !isBlamed))
          return { ok: false, text: gaveUp(attempt + 1, messageOf(error)) };
      } finally {
        this.files.rest();
      }
    }
  }

  private *attempt({ method, args, index, of, parts }: Request): Generator<undefined, Answer> {
    const { glue, code } = this.loaded;
    if (parts) return answerOf(glue.Code.merge(method, args, parts));
    const id = this.next++;
    let isDone = false;
    try {
      code.begin(id, method, args, index, of);
      for (;;) {
        const answer = code.step(id);
        if (answer !== undefined) {
          isDone = true;
          return answerOf(answer);
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
    let hasMore = false;
    try {
      hasMore = this.loaded.code.idle();
    } catch {
      this.loaded = this.make();
    }
    if (!hasMore) this.files.rest();
    return hasMore;
  }
}
