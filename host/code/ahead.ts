// Files that a worker's scout opens before the worker reads them, and closes afterwards: open files are the process's, not a
// thread's. Worker and scout share memory with a place for each file. Whoever takes what is in a place owns it, so that each
// file is closed once.
import { readFileSync, readSync } from "node:fs";
import { isOutOfFiles, shut } from "./files";
import { pathsOf } from "./stats";
import { READ_PLACE } from "./watch/handles";

/** Files that are told at a time: AHEAD_FILES in src/code/limits.rs. */
const LOT = 64;
/** The worker has two lots under way, and what it is done with may still be open. */
const LOTS = 4;
const PLACES = LOT * LOTS;
/** A lot of which the paths are longer is not told. Bytes. */
const TEXT_BYTES = 16_384;
const INT = Int32Array.BYTES_PER_ELEMENT;
/** What worker and scout share: the places, of each lot its mark and how long its paths are, and these. */
export const AHEAD_BYTES = (PLACES + 2 * LOTS) * INT + LOTS * TEXT_BYTES;

// What is in a place: nothing; an open file, plus one; one to be closed, less one; or its lot's mark: it is to be opened.
const NOTHING = 0;
const FIRST_MARK = 1 << 24;
const isOpen = (place: number) => place > 0 && place < FIRST_MARK;
const isLeft = (place: number) => place < 0;

/** A process that may have fewer files open needs them all. */
const ENOUGH_FILES = 1024;

/** Files that the process may have open. */
function fileLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}

class Shared {
  readonly places: Int32Array;
  readonly marks: Int32Array;
  readonly lengths: Int32Array;
  private readonly texts: Uint8Array;

  constructor(memory: SharedArrayBuffer, from: number) {
    this.places = new Int32Array(memory, from, PLACES);
    this.marks = new Int32Array(memory, from + PLACES * INT, LOTS);
    this.lengths = new Int32Array(memory, from + (PLACES + LOTS) * INT, LOTS);
    this.texts = new Uint8Array(memory, from + (PLACES + 2 * LOTS) * INT, LOTS * TEXT_BYTES);
  }

  text(lot: number, length = TEXT_BYTES): Uint8Array {
    return this.texts.subarray(lot * TEXT_BYTES, lot * TEXT_BYTES + length);
  }

  /** The paths of a lot, as they are now. */
  paths(lot: number): string[] {
    const text = Buffer.from(this.text(lot, Atomics.load(this.lengths, lot)));
    return pathsOf(text.toString());
  }

  /** Whatever is open in a place is closed. */
  put(place: number, next: number): void {
    const found = Atomics.exchange(this.places, place, next);
    if (isOpen(found)) shut(found - 1);
    else if (isLeft(found)) shut(-found - 1);
  }

  closeAll(): void {
    for (let place = 0; place < PLACES; place++) this.put(place, NOTHING);
  }
}

/** The worker's side. */
export class Ahead {
  private readonly shared: Shared;
  private mark = FIRST_MARK;
  /** Of each lot the number of its first file. */
  private firsts: (number | undefined)[] = [];
  private mayOpen: boolean | undefined;

  /** `noted`: where the file is noted that is being read. */
  constructor(
    memory: SharedArrayBuffer,
    from: number,
    private readonly noted: Int32Array,
  ) {
    this.shared = new Shared(memory, from);
  }

  /** Notes files that are going to be read, from a number on. The lot, for the scout; none where it can't be told. */
  note(number: number, paths: Uint8Array): number | undefined {
    this.mayOpen ??= fileLimit() >= ENOUGH_FILES;
    if (!this.mayOpen || paths.length > TEXT_BYTES) return undefined;
    const { shared } = this;
    const lot = (number / LOT) % LOTS;
    const first = lot * LOT;
    // another one than that of a lot at which the scout may still be
    this.mark = this.mark === 2 * FIRST_MARK ? FIRST_MARK : this.mark + 1;
    for (let place = first; place < first + LOT; place++) shared.put(place, this.mark);
    this.firsts[lot] = number;
    shared.text(lot).set(paths);
    Atomics.store(shared.lengths, lot, paths.length);
    Atomics.store(shared.marks, lot, this.mark);
    return lot;
  }

  /** Reads the file of a number from its beginning, and leaves it to the scout to close it; -1 where it is not open. */
  read(number: number, into: Uint8Array): number {
    if (this.lotOf(number) === undefined) return -1;
    const { places } = this.shared;
    const place = number % PLACES;
    const found = Atomics.exchange(places, place, NOTHING);
    if (isLeft(found)) shut(-found - 1);
    if (!isOpen(found)) return -1;
    this.noted[READ_PLACE] = found;
    try {
      return readSync(found - 1, into, 0, into.length, 0);
    } catch {
      return -1;
    } finally {
      this.noted[READ_PLACE] = 0;
      Atomics.store(places, place, -found);
    }
  }

  pathOf(number: number): string | undefined {
    const lot = this.lotOf(number);
    return lot === undefined ? undefined : this.shared.paths(lot)[number % LOT];
  }

  /** None when another one took its place. */
  private lotOf(number: number): number | undefined {
    const lot = Math.floor(number / LOT) % LOTS;
    return this.firsts[lot] === number - (number % LOT) ? lot : undefined;
  }

  /** Nothing that was noted is going to be read. Whether anything was noted. */
  end(): boolean {
    const wasUsed = this.firsts.length > 0;
    if (wasUsed) this.shared.closeAll();
    this.firsts = [];
    return wasUsed;
  }
}

/** The scout's side. */
export class Opener {
  private readonly shared: Shared;

  constructor(
    memory: SharedArrayBuffer,
    from: number,
    private readonly open: (path: string) => number,
  ) {
    this.shared = new Shared(memory, from);
  }

  /** Opens a lot's files, and closes what the worker is done with. */
  serve(lot: number): void {
    const { places, marks } = this.shared;
    const mark = Atomics.load(marks, lot);
    for (const [n, path] of this.shared.paths(lot).slice(0, LOT).entries()) {
      const place = lot * LOT + n;
      if (Atomics.load(places, place) !== mark) continue;
      try {
        const file = this.open(path);
        if (Atomics.compareExchange(places, place, mark, file + 1) !== mark) shut(file);
      } catch (error) {
        // the worker will see for itself
        if (isOutOfFiles(error)) break;
      }
    }
    for (let place = 0; place < PLACES; place++) {
      const left = Atomics.load(places, place);
      if (isLeft(left) && Atomics.compareExchange(places, place, left, NOTHING) === left) shut(-left - 1);
    }
  }
}

/** Closes what worker and scout left open, when they are gone. */
export const closeAhead = (memory: SharedArrayBuffer, from: number) => new Shared(memory, from).closeAll();
