// The module's Files callbacks on a folder of this machine: synchronous, since a worker has nothing else to do. Nothing
// throws into the module: an error is a number. Paths are relative to the root; a name that is no UTF-8 comes and goes as
// Latin-1, a character for each byte.
import { closeSync, constants, lstatSync, openSync, readdirSync, readSync, realpathSync } from "node:fs";
import type { Files } from "./instance";
import { pathsOf, STAT_NUMBERS } from "./stats";
import { linkedExclude, Surroundings } from "./surroundings";
import { newHandle, noteIn, placesIn, READ_PLACE, type Handle } from "./watch/handles";
import { Watcher } from "./watch/watcher";

const ERRORS: Record<string, number> = {
  ENOENT: -1,
  EACCES: -2,
  EPERM: -2,
  ELOOP: -3,
  ENOTDIR: -3,
  EISDIR: -3,
};
const IS_BUN = process.versions["bun"] !== undefined;
const FAILED = -4;
/** No more files can be opened, by this process or on this machine. */
export const isOutOfFiles = (error: unknown) => ["EMFILE", "ENFILE"].includes(nameOf(error));
const MISSING = -1;
const UNLESS_MISSING = { throwIfNoEntry: false } as const;

/** Not through a link, and not waiting for a FIFO's writer. */
const OPEN = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

const openFile = (path: string | Buffer) => openSync(path, OPEN);
const entriesOf = (path: string | Buffer) => readdirSync(path, { withFileTypes: true, encoding: "latin1" });

/** Closes a file that was only read. */
export function shut(file: number): void {
  try {
    closeSync(file);
  } catch {
    // nothing can be lost
  }
}

const NONE = -1;

export class NodeFiles implements Files {
  readonly watcher: Watcher;
  protected readonly noted: Int32Array;
  private readonly folder: string;
  private readonly prefix: string;
  private readonly around: Surroundings;
  private prefixBytes: Buffer | undefined;
  /** A file that is read piece by piece: it stays open until its end, until another is read, or the request is over. */
  private long: { path: string; file: number } | undefined;

  /** `handle`: where the files are noted that are open. */
  constructor(folder: string, handle: Handle) {
    // Node closes a thread's files with it
    this.noted = placesIn(IS_BUN ? handle : newHandle());
    this.folder = realpathSync(folder);
    this.watcher = new Watcher(this.folder, noteIn(handle));
    this.prefix = this.folder.endsWith("/") ? this.folder : `${this.folder}/`;
    this.around = new Surroundings(this.folder);
  }

  list(path: string, latin1: boolean): string {
    try {
      const entries = this.retried(entriesOf, this.at(path, latin1));
      let text = "";
      for (const entry of entries) {
        const kind = entry.isFile() ? "f" : entry.isDirectory() ? "d" : entry.isSymbolicLink() ? "l" : "o";
        text += `${kind}${entry.name}/`;
      }
      return text;
    } catch (error) {
      return `!${codeOf(error)}`;
    }
  }

  stat(text: string, latin1: boolean, into: Float64Array): void {
    const paths = pathsOf(text);
    this.statSome(paths, latin1, into, 0, paths.length);
  }

  /** Fills in the numbers of the paths from one to before another, each at its place. */
  statSome(paths: readonly string[], latin1: boolean, into: Float64Array, from: number, to: number): void {
    for (const [n, path] of paths.slice(from, to).entries()) {
      const at = (from + n) * STAT_NUMBERS;
      into[at] = this.statOne(this.at(path, latin1), into, at);
    }
  }

  /** Gives the kind or an error, and fills in the rest. */
  private statOne(path: string | Buffer, into: Float64Array, at: number): number {
    try {
      const stat = lstatSync(path, UNLESS_MISSING);
      if (!stat) return MISSING;
      into[at + 1] = stat.size;
      into[at + 2] = stat.mtimeMs;
      into[at + 3] = stat.ctimeMs;
      into[at + 4] = stat.ino;
      into[at + 5] = stat.nlink;
      return stat.isFile() ? 0 : stat.isDirectory() ? 1 : stat.isSymbolicLink() ? 2 : 3;
    } catch (error) {
      return codeOf(error);
    }
  }

  read(path: string, latin1: boolean, offset: number, into: Uint8Array): number {
    let file = NONE;
    let count: number;
    try {
      // what goes on is the file that it began with, whatever has its name meanwhile
      if (offset > 0 && this.long?.path === path) file = this.long.file;
      else {
        this.closeLong();
        file = this.open(path, latin1);
        this.noted[READ_PLACE] = file + 1;
      }
      count = readSync(file, into, 0, into.length, offset);
    } catch (error) {
      this.close(file);
      return codeOf(error);
    }
    if (count < into.length || count === 0) this.close(file);
    else this.long ??= { path, file };
    return count;
  }

  rest(): void {
    this.closeLong();
  }

  private closeLong(): void {
    if (this.long) this.close(this.long.file);
  }

  private close(file: number): void {
    this.long = undefined;
    if (file === NONE) return;
    this.noted[READ_PLACE] = 0;
    shut(file);
  }

  open(path: string, latin1: boolean): number {
    return this.retried(openFile, this.at(path, latin1));
  }

  private retried<T>(work: (path: string | Buffer) => T, path: string | Buffer): T {
    try {
      return work(path);
    } catch (error) {
      if (isOutOfFiles(error) && this.release()) return work(path);
      throw error;
    }
  }

  /** Closes files that are open for later. Whether there were any. */
  protected release(): boolean {
    return false;
  }

  real(path: string, latin1: boolean): string | undefined {
    try {
      const real = Buffer.from(realpathSync(this.at(path, latin1), "buffer")).toString("latin1");
      const root = Buffer.from(this.folder).toString("latin1");
      if (real === root) return "";
      const prefix = Buffer.from(this.prefix).toString("latin1");
      return real.startsWith(prefix) ? real.slice(prefix.length) : undefined;
    } catch (error) {
      return `\0${codeOf(error)}`;
    }
  }

  linkedExclude(path: string, latin1: boolean): string | undefined {
    return linkedExclude(this.at(path, latin1));
  }

  surroundings(): string {
    return this.around.toText();
  }

  root(): string {
    return Buffer.from(this.folder).toString("latin1");
  }

  now(): number {
    return Date.now();
  }

  watch(path: string, latin1: boolean, types: Uint32Array): number {
    return this.watcher.watch(Buffer.from(this.at(path, latin1)), types);
  }

  private at(path: string, latin1: boolean): string | Buffer {
    if (path === "") return this.folder;
    if (!latin1) return this.prefix + path;
    this.prefixBytes ??= Buffer.from(this.prefix);
    return Buffer.concat([this.prefixBytes, Buffer.from(path, "latin1")]);
  }
}

const nameOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "");

function codeOf(error: unknown): number {
  return ERRORS[nameOf(error)] ?? FAILED;
}
