// Whether a file system was mounted since: one over a watched folder hides it, and no watch tells of that.
import { closeSync, openSync, readSync } from "node:fs";
import { MOUNTS_PLACE } from "./handles";
import type { NoteHandle } from "./watcher";

/** Where Linux lists the mounts that this process sees. */
export const MOUNTS = "/proc/self/mountinfo";
/** A longer list is taken for another one each time. Bytes. */
const ROOM = 1 << 20;

/** What a watcher asks before it believes its watches. */
export interface Mounts {
  /** Whether they are those of when this began; false where nobody knows. */
  areSame(): boolean;
  close(): void;
}

/**
 * By the list itself, which the kernel writes anew for each reading, some 30 µs. The file stays open: to open it takes as
 * long.
 */
class ReadMounts implements Mounts {
  private readonly file = openSync(MOUNTS, "r");
  private room = Buffer.alloc(1 << 12);
  private readonly before: Buffer;

  constructor(private readonly note: NoteHandle | undefined) {
    note?.(MOUNTS_PLACE, this.file);
    this.before = Buffer.from(this.listed());
  }

  areSame(): boolean {
    try {
      return this.before.length < ROOM && this.before.equals(this.listed());
    } catch {
      return false;
    }
  }

  close(): void {
    this.note?.(MOUNTS_PLACE, -1);
    closeSync(this.file);
  }

  private listed(): Buffer {
    let end = 0;
    for (let count = 1; count > 0 && end < ROOM; end += count) {
      if (end === this.room.length) this.room = Buffer.concat([this.room, Buffer.alloc(end)]);
      count = readSync(this.file, this.room, end, this.room.length - end, end);
    }
    return this.room.subarray(0, end);
  }
}

/** None where there is no list. */
export function openReadMounts(note: NoteHandle | undefined): Mounts | undefined {
  try {
    return new ReadMounts(note);
  } catch {
    return undefined;
  }
}
