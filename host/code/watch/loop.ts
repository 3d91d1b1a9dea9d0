// inotify by way of Node, whose event loop reads it: what happened has arrived when a sign does that was made after it, for
// a loop reads its events in order. That its queue was too short Node doesn't say; but then as many events arrive as the
// queue holds, and a sign that was made meanwhile never does.
import { closeSync, futimesSync, openSync, unlinkSync, watch as watchPath, type FSWatcher } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { numberIn } from "./kernel";
import type { Backend } from "./watcher";

/** A sign that takes longer was lost; it takes less than a millisecond where the machine is not overloaded. Milliseconds. */
const SIGN_MS = 250;

/** None where the kernel has none. */
export function openLoopWatcher(): Backend | undefined {
  const queue = numberIn("/proc/sys/fs/inotify/max_queued_events");
  try {
    return queue > 0 ? new LoopWatcher(queue / 2, new Sign()) : undefined;
  } catch {
    return undefined; // no file may be written, or watched
  }
}

class LoopWatcher implements Backend {
  private readonly watchers = new Map<number, FSWatcher>();
  private last = 0;
  private told = "";
  private count = 0;
  private isMissing = false;
  /** Somebody waits for the sign. */
  private giveUp: (() => void) | undefined;

  constructor(
    private readonly limit: number,
    private readonly sign: Sign,
  ) {}

  add(folder: Buffer): number {
    const number = ++this.last;
    const own = baseName(folder);
    const watcher = watchPath(folder, { persistent: false, encoding: "latin1" }, (event, name) => {
      const letter = event === "rename" ? "n" : "f";
      // of the folder itself it is told by the folder's own name
      if (name === null || name === own) this.take(`f${number}:0:/`);
      if (name !== null) this.take(`${letter}${number}:0:${name}/`);
    });
    watcher.on("error", () => this.miss());
    this.watchers.set(number, watcher);
    return number;
  }

  remove(watch: number): void {
    this.watchers.get(watch)?.close();
    this.watchers.delete(watch);
  }

  drain(): string | undefined {
    const told = this.isMissing ? undefined : this.told;
    this.told = "";
    this.count = 0;
    return told;
  }

  async settle(): Promise<boolean> {
    if (this.isMissing) return true;
    const missed = new Promise<void>((resolve) => (this.giveUp = resolve));
    const hasArrived = await Promise.race([this.sign.arrives(), missed]);
    this.giveUp = undefined;
    if (hasArrived === false) this.miss();
    return hasArrived !== false;
  }

  close(): void {
    this.isMissing = true;
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
    this.sign.close();
  }

  private take(event: string): void {
    this.count += 1;
    if (this.count > this.limit) this.miss();
    else if (!this.isMissing) this.told += event;
  }

  private miss(): void {
    this.isMissing = true;
    this.told = "";
    this.giveUp?.();
  }
}

/** A file without a name, of which a change is an event in the same loop. */
class Sign {
  private readonly file: number;
  private readonly watcher: FSWatcher;
  private resolve: ((arrived: boolean) => void) | undefined;
  /** That it lost its name is an event, too, which has not arrived yet. */
  private isNew = true;

  constructor() {
    const path = join(tmpdir(), `opencode-orchestrator-${crypto.randomUUID()}`);
    this.file = openSync(path, "wx", 0o600);
    try {
      this.watcher = watchPath(path, { persistent: false }, () => {
        this.isNew = false;
        this.resolve?.(true);
      });
      this.watcher.on("error", () => this.resolve?.(false));
    } catch (error) {
      closeSync(this.file);
      throw error;
    } finally {
      unlinkSync(path);
    }
  }

  /** Whether one that is made now arrives in time. */
  async arrives(): Promise<boolean> {
    if (this.isNew && !(await this.next(() => undefined))) return false;
    return this.next(() => futimesSync(this.file, 1, 1));
  }

  close(): void {
    this.watcher.close();
    closeSync(this.file);
  }

  private async next(make: () => void): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<boolean>((resolve) => {
        this.resolve = resolve;
        timer = setTimeout(() => resolve(false), SIGN_MS);
        make();
      });
    } finally {
      clearTimeout(timer);
      this.resolve = undefined;
    }
  }
}

function baseName(folder: Buffer): string {
  return folder.toString("latin1").split("/").filter(Boolean).pop() ?? "";
}
