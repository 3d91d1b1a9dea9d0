// Where journals live: OpenCode's state folder, a folder for each project, one NDJSON file a mission, and below `tasks`
// one for each session that delegated tasks. A lock file names the process that drives it. Nothing here may stop
// OpenCode: every failure is a line in the log.
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf } from "./fault";
import { stateFolder } from "./state";

/** Ended missions' journals kept in a project's `done` folder, newest first. */
const DONE_KEPT = 20;
/** Files of sessions' tasks kept for each project, newest first. */
const TASK_FILES_KEPT = 50;
/** A larger file is not one of ours; ours are compacted long before. */
const MAX_BYTES = 1 << 30;

/** A number above this is not one of ours. */
const MAX_NUMBER = 2 ** 31;

/** A mission's number, or the session whose tasks they are. */
type Key = number | string;

interface Entry {
  /** UTF-8, in the module's memory: written before the call returns. */
  text: Uint8Array;
  replace: boolean;
  ended: boolean;
}

interface OpenFile {
  path: string;
  fd: number;
}

export class JournalFolder {
  readonly folder: string;
  private readonly files = new Map<Key, OpenFile>();
  private failed = false;
  private adopting: string | undefined;

  constructor(
    directory: string,
    private readonly warn: (message: string) => void,
    state?: string,
  ) {
    const name = basename(directory)
      .replace(/[^\w.-]/g, "_")
      .slice(0, 40);
    const hash = createHash("sha256").update(directory).digest("hex").slice(0, 12);
    this.folder = join(stateFolder(state), `${name}-${hash}`);
  }

  /** Unfinished missions that no living process drives: path and text. They are locked for this process. */
  unfinished(): { path: string; text: string }[] {
    let names: string[];
    try {
      names = readdirSync(this.folder).filter((name) => name.endsWith(".ndjson"));
    } catch {
      return []; // no mission was ever started here
    }
    return names.sort().flatMap((name) => {
      const path = join(this.folder, name);
      try {
        if (statSync(path).size > MAX_BYTES) throw new Error("it is too large to be a journal");
        if (!this.lock(path)) return [];
        return [{ path, text: readFileSync(path, "utf8") }];
      } catch (error) {
        this.warn(`journal ${path} was left alone: ${messageOf(error)}`);
        return [];
      }
    });
  }

  /** The journal's text of the newest mission that ended in the session, if it is kept. */
  ended(session: string): string | undefined {
    const done = join(this.folder, "done");
    const mark = `"session":${JSON.stringify(session)}`;
    try {
      const paths = readdirSync(done).sort().reverse();
      return paths
        .map((name) => readFileSync(join(done, name), "utf8"))
        .find((text) => text.slice(0, text.indexOf("\n")).includes(mark));
    } catch {
      return undefined; // no mission has ended here
    }
  }

  /** The highest number that a mission of the project has had, as far as there are journals of it. */
  lastMission(): number {
    const numbers = [this.folder, join(this.folder, "done")].flatMap((folder) => {
      try {
        return readdirSync(folder).map((name) => Number(/-(\d+)\.ndjson/.exec(name)?.[1] ?? 0));
      } catch {
        return []; // no mission was ever started here
      }
    });
    return numbers.reduce((last, number) => (number < MAX_NUMBER ? Math.max(last, number) : last), 0);
  }

  /**
   * Goes on writing a mission's file from before: what `restore` makes the engine write for a mission without a file
   * goes there. A file whose mission has ended is put away; one that can't be used is put aside, so that neither is
   * tried again at the next start.
   */
  adopt(path: string, restore: () => boolean): void {
    this.adopting = path;
    try {
      if (!restore()) this.attempt(() => this.moveToDone(path));
    } catch (error) {
      this.warn(`journal ${path} can't be used: ${messageOf(error)}`);
      this.attempt(() => {
        renameSync(path, `${path}.unreadable`);
        rmSync(`${path}.lock`, { force: true });
      });
    } finally {
      this.adopting = undefined;
    }
  }

  /** Performs the engine's journal effect: written when this returns. */
  write({ mission, ...entry }: { mission: number } & Entry): void {
    this.perform(mission, entry, (file) => this.putAway(mission, file));
  }

  /** The same for the tasks of a session. Their file goes when the session does. */
  writeTasks({ session, ...entry }: { session: string } & Entry): void {
    this.perform(session, entry, ({ path, fd }) => {
      this.files.delete(session);
      closeSync(fd);
      rmSync(path, { force: true });
      rmSync(`${path}.lock`, { force: true });
    });
  }

  /** The journal of a session's tasks from before, if there is one that no living process writes. */
  restoreTasks(session: string, restore: (text: string) => void): void {
    const path = this.taskPath(session);
    if (this.files.has(session) || !existsSync(path)) return;
    this.attempt(() => {
      if (!this.lock(path)) return;
      this.adopting = path;
      try {
        restore(readFileSync(path, "utf8"));
      } catch (error) {
        this.warn(`journal ${path} can't be used: ${messageOf(error)}`);
        renameSync(path, `${path}.unreadable`);
        rmSync(`${path}.lock`, { force: true });
      } finally {
        this.adopting = undefined;
      }
    });
  }

  private perform(key: Key, { text, replace, ended }: Entry, putAway: (file: OpenFile) => void): void {
    this.attempt(() => {
      const file = this.files.get(key);
      if (ended) {
        if (file) putAway(file);
      } else if (replace) {
        this.replace(key, file, text);
      } else {
        const open = file ?? this.adopted(key);
        if (open) writeSync(open.fd, text); // else its file could not be made, which was said then
      }
    });
  }

  /** The texts of the open files, for a fresh wasm instance. */
  texts(): string[] {
    return [...this.files.values()].flatMap(({ path }) => {
      try {
        return [readFileSync(path, "utf8")];
      } catch {
        return [];
      }
    });
  }

  /** Closes the files; they stay for the next start. */
  close(): void {
    for (const { path, fd } of this.files.values()) {
      this.attempt(() => {
        closeSync(fd);
        rmSync(`${path}.lock`, { force: true });
      });
    }
    this.files.clear();
  }

  /** The file of a mission that is being adopted. */
  private adopted(key: Key): OpenFile | undefined {
    if (this.adopting === undefined) return undefined;
    const file = { path: this.adopting, fd: openSync(this.adopting, "a") };
    this.files.set(key, file);
    return file;
  }

  private replace(key: Key, file: OpenFile | undefined, text: Uint8Array): void {
    const path = file?.path ?? this.adopting ?? this.newPath(key);
    mkdirSync(dirname(path), { recursive: true });
    if (!file) this.lock(path);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    if (file) closeSync(file.fd);
    this.files.set(key, { path, fd: openSync(path, "a") });
  }

  private newPath(key: Key): string {
    if (typeof key === "string") {
      this.dropOldTasks();
      return this.taskPath(key);
    }
    const stamp = new Date().toISOString().replace(/[:.]/g, "-");
    return join(this.folder, `${stamp}-${process.pid}-${key}.ndjson`);
  }

  private taskPath(session: string): string {
    return join(this.folder, "tasks", `${session.replace(/[^\w-]/g, "_")}.ndjson`);
  }

  private dropOldTasks(): void {
    const folder = join(this.folder, "tasks");
    if (!existsSync(folder)) return;
    const files = readdirSync(folder).filter((name) => !name.endsWith(".lock"));
    if (files.length < TASK_FILES_KEPT) return;
    const byAge = files
      .map((name) => ({ path: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.at - a.at);
    for (const { path } of byAge.slice(TASK_FILES_KEPT - 1)) if (!existsSync(`${path}.lock`)) rmSync(path);
  }

  private putAway(mission: number, { path, fd }: OpenFile): void {
    this.files.delete(mission);
    closeSync(fd);
    this.moveToDone(path);
  }

  private moveToDone(path: string): void {
    const done = join(this.folder, "done");
    mkdirSync(done, { recursive: true });
    renameSync(path, join(done, basename(path)));
    rmSync(`${path}.lock`, { force: true });
    for (const old of readdirSync(done).sort().reverse().slice(DONE_KEPT))
      rmSync(join(done, old), { force: true });
  }

  /** Whether the file is now ours: no other living process holds it. */
  private lock(path: string): boolean {
    const lock = `${path}.lock`;
    if (existsSync(lock)) {
      const pid = Number(readFileSync(lock, "utf8"));
      if (pid !== process.pid && isAlive(pid)) return false;
    }
    writeFileSync(lock, String(process.pid));
    return true;
  }

  private attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!this.failed)
        this.warn(`the journal can't be written, so missions won't survive a restart: ${messageOf(error)}`);
      this.failed = true;
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
