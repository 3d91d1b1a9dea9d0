// What the module is told of changes in folders that it watches. Only Linux's inotify says all that is needed; Node and Bun
// come by it in different ways.
import { statfsSync, statSync, type Stats } from "node:fs";
import type { FilesWatcher } from "../instance";
import { openInotify } from "./inotify";
import { numberIn } from "./kernel";
import { openLoopWatcher } from "./loop";
import { openReadMounts, type Mounts } from "./mounts";

/** Watches on folders, by number. All of them end with it. */
export interface Backend {
  /** Gives the same number for the same folder, and a negative one when it can't be watched. */
  add(folder: Buffer): number;
  remove(watch: number): void;
  /** What happened since the last call, as src/wasm/code.rs reads it; undefined when some of it was missed. */
  drain(): string | undefined;
  /** Waits until what happened before has arrived; false when it did not. Not there where it always has. */
  settle?(): Promise<boolean>;
  /** Not there where the list of mounts has to be read; not closed with it. */
  readonly mounts?: Mounts | undefined;
  close(): void;
}

/** Where the open files of a worker are noted that are not closed with it, each in a place of its own; see handles.ts. */
export type NoteHandle = (place: number, file: number) => void;

/** Who is kept waiting for nothing so many times on end does without. */
const MAX_LATE = 3;

const UNKNOWN = "!";
const UNAVAILABLE = -4;

export class Watcher implements FilesWatcher {
  private backend: Backend | undefined;
  private isUnavailable = process.platform !== "linux";
  /** How often on end what happened did not arrive. */
  private late = 0;
  /** What the root was when it began; none where that can't be told. */
  private rootBefore: Stats | undefined;
  private mounts: Mounts | undefined;

  constructor(
    private readonly root: string,
    private readonly note: NoteHandle,
  ) {}

  watch(folder: Buffer, types: Uint32Array): number {
    try {
      if (this.isUnavailable || !types.includes(statfsSync(folder).type)) return UNAVAILABLE;
      return this.opened().add(folder);
    } catch {
      return UNAVAILABLE;
    }
  }

  unwatch(watch: number): void {
    this.backend?.remove(watch);
  }

  limit(): number {
    return this.isUnavailable ? 0 : numberIn("/proc/sys/fs/inotify/max_user_watches");
  }

  settle(): Promise<void> | undefined {
    return this.backend?.settle?.().then((isIn) => {
      this.late = isIn ? 0 : this.late + 1;
      if (this.late >= MAX_LATE) this.isUnavailable = true;
    });
  }

  changes(): string {
    const changes = this.isSameWorld() ? this.backend?.drain() : undefined;
    if (changes !== undefined) return changes;
    this.close();
    return UNKNOWN;
  }

  close(): void {
    this.backend?.close();
    this.mounts?.close();
    this.backend = undefined;
    this.mounts = undefined;
  }

  private opened(): Backend {
    if (this.backend) return this.backend;
    this.rootBefore = this.rootNow();
    const isNode = process.versions["bun"] === undefined;
    this.backend = isNode ? openLoopWatcher() : openInotify(this.note);
    // Node closes a thread's files with it
    this.mounts = this.backend && (this.backend.mounts ?? openReadMounts(isNode ? undefined : this.note));
    // there are none left, or this runtime has no way to them
    if (!this.backend || !this.isSameWorld()) this.isUnavailable = true;
    if (!this.backend) throw new Error("no watcher");
    return this.backend;
  }

  /** A folder that takes the root's place, and a file system that is mounted over one of its folders, are not told. */
  private isSameWorld(): boolean {
    const { rootBefore: before, mounts } = this;
    const now = before && this.rootNow();
    if (!now || now.ino !== before.ino || now.dev !== before.dev) return false;
    return mounts?.areSame() === true;
  }

  private rootNow(): Stats | undefined {
    try {
      return statSync(this.root, { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }
}
