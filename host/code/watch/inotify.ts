// inotify itself, in Bun, which can call C functions. The kernel queues an event before the call that caused it returns, so
// what is read here is all that happened before; and it says when its queue was too short.
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { MOUNTS_PLACE, WATCHES_PLACE } from "./handles";
import { MOUNTS, type Mounts } from "./mounts";
import type { Backend, NoteHandle } from "./watcher";

/** Of Bun's `bun:ffi` what is used here. */
interface Ffi {
  dlopen(
    library: string,
    functions: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Record<keyof typeof FUNCTIONS, (...args: unknown[]) => number> };
}

const FUNCTIONS = {
  inotify_init1: { args: ["i32"], returns: "i32" },
  inotify_add_watch: { args: ["i32", "ptr", "u32"], returns: "i32" },
  inotify_rm_watch: { args: ["i32", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
};
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

// from sys/inotify.h; O_NONBLOCK | O_CLOEXEC, the same on x86 and ARM
const OPEN = 0o2004000;
const [MODIFY, ATTRIB, CLOSE_WRITE] = [0x2, 0x4, 0x8];
const [MOVED_FROM, MOVED_TO, CREATE, DELETE] = [0x40, 0x80, 0x100, 0x200];
const [DELETE_SELF, MOVE_SELF] = [0x400, 0x800];
const [UNMOUNT, OVERFLOW, IGNORED] = [0x2000, 0x4000, 0x8000];
const [ONLYDIR, DONT_FOLLOW] = [0x1000000, 0x2000000];
// a file that was written through shared memory is told when the last who had it open lets go of it
const FACTS = MODIFY | ATTRIB | CLOSE_WRITE;
const NAMES = MOVED_FROM | MOVED_TO | CREATE | DELETE;
const ENDED = DELETE_SELF | MOVE_SELF | UNMOUNT | IGNORED;
const WANTED = FACTS | NAMES | DELETE_SELF | MOVE_SELF | ONLYDIR | DONT_FOLLOW;
const FIONREAD = 0x541b;
// from poll.h
const [POLLIN, POLLPRI, POLLOUT] = [0x1, 0x2, 0x4];
/** Of a file that is polled: its number, and what is wanted and was found of it. */
const POLL_BYTES = 8;

/** Bytes of an event before its name. */
const HEAD = 16;
/** More than an event has with the longest name. Bytes. */
const ROOM = 64 * 1024;

type C = ReturnType<Ffi["dlopen"]>["symbols"];

/** None where the runtime or the kernel has none. */
export function openInotify(note: NoteHandle): Backend | undefined {
  try {
    const { dlopen } = createRequire(import.meta.url)("bun:ffi") as Ffi;
    const c = LIBRARIES.map((name) => attempt(() => dlopen(name, FUNCTIONS))).find(Boolean)?.symbols;
    const file = c?.inotify_init1(OPEN) ?? -1;
    if (!c || file < 0) return undefined;
    note(WATCHES_PLACE, file);
    return new Inotify(c, file, note);
  } catch {
    return undefined;
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

class Inotify implements Backend {
  readonly mounts: Polled | undefined;
  private readonly events = Buffer.alloc(ROOM);
  private readonly waiting = new Int32Array(1);

  constructor(
    private readonly c: C,
    private readonly file: number,
    private readonly note: NoteHandle,
  ) {
    this.mounts = openMounts(c, file, note);
  }

  add(folder: Buffer): number {
    return this.c.inotify_add_watch(this.file, Buffer.concat([folder, Buffer.of(0)]), WANTED);
  }

  remove(watch: number): void {
    this.c.inotify_rm_watch(this.file, watch);
  }

  drain(): string | undefined {
    let text = "";
    if (this.mounts?.areNoEvents()) return text;
    for (;;) {
      if (this.c.ioctl(this.file, FIONREAD, this.waiting) !== 0) return undefined;
      if (this.waiting[0] === 0) return text;
      const length = this.c.read(this.file, this.events, ROOM);
      if (length <= 0) return undefined;
      const read = this.textOf(length);
      if (read === undefined) return undefined;
      text += read;
    }
  }

  close(): void {
    this.note(WATCHES_PLACE, -1);
    this.c.close(this.file);
  }

  private textOf(length: number): string | undefined {
    const { events } = this;
    let text = "";
    let last = "";
    for (let at = 0; at + HEAD <= length;) {
      const watch = events.readInt32LE(at);
      const mask = events.readUInt32LE(at + 4);
      const move = events.readUInt32LE(at + 8);
      const end = at + HEAD + events.readUInt32LE(at + 12);
      if (mask & OVERFLOW) return undefined;
      const name = events.toString("latin1", at + HEAD, end);
      const letter = mask & ENDED ? "e" : mask & (CREATE | MOVED_TO) ? "c" : mask & NAMES ? "w" : "f";
      const event = `${letter}${watch}:${move}:${cut(name)}/`;
      // a file that is written in pieces
      if (letter !== "f" || event !== last) text += event;
      last = event;
      at = end;
    }
    return text;
  }
}

/** A name without the NULs behind it. */
function cut(name: string): string {
  const end = name.indexOf("\0");
  return end < 0 ? name : name.slice(0, end);
}

/**
 * The open list of mounts: an error is pending on it, once, when it has changed since it was opened (`man 5 proc`). Whether
 * there are events is asked for in the same call.
 */
class Polled implements Mounts {
  private readonly asked = new ArrayBuffer(2 * POLL_BYTES);
  private readonly bytes = new Uint8Array(this.asked);
  private readonly files = new Int32Array(this.asked);
  private readonly events = new Int16Array(this.asked);
  private hasNoEvents = false;

  constructor(
    private readonly c: C,
    mounts: number,
    watches: number,
    private readonly note: NoteHandle,
  ) {
    this.files.set([mounts, POLLIN | POLLPRI | POLLOUT, watches, POLLIN]);
  }

  areSame(): boolean {
    const isSure = this.c.poll(this.bytes, 2, 0) >= 0;
    const [mounts, watches] = [this.events[3], this.events[7]];
    this.hasNoEvents = isSure && watches === 0;
    // a file that doesn't tell of its changes can always be written, too
    return isSure && mounts === POLLIN;
  }

  /** Nothing had happened when it was last asked for the mounts; to be asked once. */
  areNoEvents(): boolean {
    const { hasNoEvents } = this;
    this.hasNoEvents = false;
    return hasNoEvents;
  }

  close(): void {
    this.note(MOUNTS_PLACE, -1);
    closeSync(this.files[0] ?? -1);
  }
}

/** None where a kernel doesn't tell of changes. */
function openMounts(c: C, watches: number, note: NoteHandle): Polled | undefined {
  const file = attempt(() => openSync(MOUNTS, "r"));
  if (file === undefined) return undefined;
  note(MOUNTS_PLACE, file);
  const mounts = new Polled(c, file, watches, note);
  if (mounts.areSame()) return mounts;
  mounts.close();
  return undefined;
}
