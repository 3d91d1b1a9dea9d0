// Open files of a worker thread that the runtime doesn't know of, so that it doesn't close them with the thread: noted in
// memory that is shared with whoever ends it.
import { closeSync } from "node:fs";
import type { NoteHandle } from "./watcher";

/** The open file, plus one; 0 for none. */
export type Handle = SharedArrayBuffer;

export const newHandle = (): Handle => new SharedArrayBuffer(4);

export function noteIn(handle: Handle): NoteHandle {
  const place = new Int32Array(handle);
  return (file) => Atomics.store(place, 0, file + 1);
}

/** The thread is gone: closes what it left open. */
export function closeLeft(handle: Handle): void {
  const file = Atomics.exchange(new Int32Array(handle), 0, 0) - 1;
  if (file >= 0) closeSync(file);
}
