// Open files of a worker thread that the runtime doesn't know of, so that it doesn't close them with the thread: noted in
// memory that is shared with whoever ends it.
import { closeSync } from "node:fs";
import type { NoteHandle } from "./watcher";

/** The open files, plus one; 0 for none. */
export type Handle = SharedArrayBuffer;

/** The watches, the list of mounts, and the file that is being read. */
export const [WATCHES_PLACE, MOUNTS_PLACE, READ_PLACE] = [0, 1, 2];
const PLACES = 3;

export const newHandle = (): Handle => new SharedArrayBuffer(PLACES * Int32Array.BYTES_PER_ELEMENT);

export const placesIn = (handle: Handle) => new Int32Array(handle);

export function noteIn(handle: Handle): NoteHandle {
  const places = placesIn(handle);
  return (place, file) => Atomics.store(places, place, file + 1);
}

/** The thread is gone: closes what it left open. */
export function closeLeft(handle: Handle): void {
  const places = placesIn(handle);
  for (let place = 0; place < PLACES; place++) {
    const file = Atomics.exchange(places, place, 0) - 1;
    if (file >= 0) closeSync(file);
  }
}
