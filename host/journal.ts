// Where journals live: OpenCode's state folder, a folder for each project, one NDJSON file a mission, and below `tasks`
// one for each session that delegated tasks. A lock file names the process that drives it. Nothing here may stop
// OpenCode: every failure is said, and what costs a mission is said to the person.
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf } from "./fault";
import { LineFile } from "./lines";
import { claim, isClaimed, release } from "./lock";
import { stateFolder } from "./state";

/** Ended missions' journals kept in a project's `done` folder, newest first. */
const DONE_KEPT = 20;
/** Files of sessions' tasks kept for each project, newest first. */
const TASK_FILES_KEPT = 50;
/** The session that a journal is about is named in the beginning of it. */
const HEAD_BYTES = 16 << 10;
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

/** Says a failure: in the log, and to the person when it is theirs to know. */
export type Say = (message: string, to: "log" | "person") => void;

export class JournalFolder {
  readonly folder: string;
  private readonly files = new Map<Key, LineFile>();
  /** Journals that another OpenCode has, which was said. */
  private readonly others = new Set<string>();
  private failed = false;
  private adopting: string | undefined;

  constructor(
    directory: string,
    private readonly say: Say,
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
        return this.claim(path) ? [{ path, text: this.readOwn(path) }] : [];
      } catch (error) {
        this.say(`journal ${path} was left alone: ${messageOf(error)}`, "log");
        return [];
      }
    });
  }

  /** The journal's text of the newest mission that ended in the session, if it is kept. */
  ended(session: string): string | undefined {
    const done = join(this.folder, "done");
    const mark = `"session":${JSON.stringify(session)}`;
    try {
      const names = readdirSync(done).sort().reverse();
      const path = names.map((name) => join(done, name)).find((path) => head(path).includes(mark));
      return path && readFileSync(path, "utf8");
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
   * goes there. A file whose mission has ended (false) is put away; one that can't be used is put aside, so that neither
   * is tried again at the next start. Without an engine (undefined) it waits for the next start.
   */
  adopt(path: string, restore: () => boolean | undefined): void {
    this.adopting = path;
    try {
      const found = restore();
      if (found === undefined) release(path);
      else if (!found) this.attempt(() => this.moveToDone(path));
    } catch (error) {
      this.setAside(path, error);
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
    this.perform(session, entry, (file) => {
      this.files.delete(session);
      file.close();
      rmSync(file.path, { force: true });
      release(file.path);
    });
  }

  /** The journal of a session's tasks from before, if there is one that no living process writes. */
  restoreTasks(session: string, restore: (text: string) => boolean | undefined): void {
    const path = this.taskPath(session);
    if (this.files.has(session) || !existsSync(path)) return;
    this.attempt(() => {
      if (!this.claim(path)) return;
      this.adopting = path;
      try {
        if (restore(readFileSync(path, "utf8")) === undefined) release(path);
      } catch (error) {
        this.setAside(path, error);
      } finally {
        this.adopting = undefined;
      }
    });
  }

  private perform(key: Key, { text, replace, ended }: Entry, putAway: (file: LineFile) => void): void {
    this.attempt(() => {
      const file = this.files.get(key);
      if (ended) {
        if (file) putAway(file);
      } else if (replace) {
        this.replace(key, file, text);
      } else {
        const open = file ?? this.adopted(key);
        open?.append(text); // without one its file could not be made, which was said then
      }
    });
  }

  /** What is in the open files, for a fresh wasm instance; not in the one that is being adopted, at which one broke. */
  texts(): { path: string; text: string }[] {
    return [...this.files.values()].flatMap(({ path }) => {
      try {
        return path === this.adopting ? [] : [{ path, text: readFileSync(path, "utf8") }];
      } catch {
        return [];
      }
    });
  }

  /** Whether something was not written: a fresh instance may not know of all. */
  get isIncomplete(): boolean {
    return this.failed;
  }

  /** Closes the files; they stay for the next start. */
  close(): void {
    for (const file of this.files.values()) {
      this.attempt(() => {
        file.close();
        release(file.path);
      });
    }
    this.files.clear();
  }

  /** The file of a mission that is being adopted. */
  private adopted(key: Key): LineFile | undefined {
    if (this.adopting === undefined) return undefined;
    const file = LineFile.open(this.adopting);
    this.files.set(key, file);
    return file;
  }

  private replace(key: Key, file: LineFile | undefined, text: Uint8Array): void {
    const path = file?.path ?? this.adopting ?? this.newPath(key);
    mkdirSync(dirname(path), { recursive: true });
    if (!file && !this.claim(path)) return;
    try {
      this.files.set(key, LineFile.create(path, text));
      file?.close();
    } finally {
      if (!existsSync(path)) release(path); // else the mission goes on here, written or not
    }
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
    const files = readdirSync(folder).filter((name) => !name.includes(".lock"));
    if (files.length < TASK_FILES_KEPT) return;
    const byAge = files
      .map((name) => ({ path: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.at - a.at);
    for (const { path } of byAge.slice(TASK_FILES_KEPT - 1)) if (!isClaimed(path)) rmSync(path);
  }

  private putAway(mission: number, file: LineFile): void {
    this.files.delete(mission);
    file.close();
    this.moveToDone(file.path);
  }

  /** Puts a journal that can't be used where it is not tried again, and says so. */
  setAside(path: string, error: unknown): void {
    const [key, file] = [...this.files].find(([, open]) => open.path === path) ?? [];
    const aside = `${path}.unreadable`;
    this.attempt(() => {
      if (key !== undefined) this.files.delete(key);
      file?.close();
      renameSync(path, aside);
      release(path);
    });
    const isTasks = dirname(path) !== this.folder;
    const what = isTasks ? "Delegated work" : typeof key === "number" ? `Mission ${key}` : "A mission";
    const why = messageOf(error);
    this.say(`${what} can't be taken up again: ${why}. Its journal is now ${aside}`, "person");
  }

  private moveToDone(path: string): void {
    const done = join(this.folder, "done");
    mkdirSync(done, { recursive: true });
    renameSync(path, join(done, basename(path)));
    release(path);
    for (const old of readdirSync(done).sort().reverse().slice(DONE_KEPT))
      rmSync(join(done, old), { force: true });
  }

  /** Whether the file is now ours: no other living process has it. */
  private claim(path: string): boolean {
    const holder = claim(path);
    if (holder === undefined) return true;
    if (!this.others.has(path))
      this.say(`journal ${path} is left to the OpenCode that drives it, process ${holder}`, "log");
    this.others.add(path);
    return false;
  }

  private readOwn(path: string): string {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      release(path);
      throw error;
    }
  }

  private attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (this.failed) return;
      this.failed = true;
      const why = messageOf(error);
      this.say(`The journal can't be written, so missions may not survive a restart: ${why}`, "person");
    }
  }
}

function head(path: string): string {
  const file = openSync(path, "r");
  try {
    const into = Buffer.alloc(HEAD_BYTES);
    return into.toString("latin1", 0, readSync(file, into));
  } finally {
    closeSync(file);
  }
}
