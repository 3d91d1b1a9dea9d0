// The memory that a worker shares with its scout (scout.ts).
import { AHEAD_BYTES } from "./ahead";
import { STAT_NUMBERS } from "./stats";

/**
 * Whether the scout is there, what is taken up (the errand's number and the next chunk), and chunks that the scout did; of
 * parcels what is taken up, and how many answers were sent; pages of the scout's memory.
 */
const [READY, CLAIM, DONE, PARCEL, ANSWERS, PAGES] = [0, 1, 2, 3, 4, 5];
const PAGE_BYTES = 65_536;
const WORDS = 16;
/** Stats that are taken up at once: some 100 microseconds. */
export const CHUNK = 32;
/** As many as the module asks for: CHECKED_AT_ONCE in src/code/limits.rs. */
export const MAX_STATS = 2048;
const MAX_ERRAND = 0x7fff;
const WORDS_BYTES = WORDS * Int32Array.BYTES_PER_ELEMENT;
/** Where what ahead.ts needs begins. */
export const AHEAD_FROM = WORDS_BYTES + MAX_STATS * STAT_NUMBERS * Float64Array.BYTES_PER_ELEMENT;

/** Memory for a board: 170 kB. */
export const newBoard = () => new SharedArrayBuffer(AHEAD_FROM + AHEAD_BYTES);

export class Board {
  readonly stats: Float64Array;
  private readonly words: Int32Array;
  private errand = 0;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, WORDS);
    this.stats = new Float64Array(memory, WORDS_BYTES, MAX_STATS * STAT_NUMBERS);
  }

  get hasScout(): boolean {
    return Atomics.load(this.words, READY) === 1;
  }

  /** The scout is there, or no longer. */
  setReady(isReady: boolean): void {
    Atomics.store(this.words, READY, isReady ? 1 : 0);
  }

  /** Bytes of the scout's memory. */
  get memoryBytes(): number {
    return Atomics.load(this.words, PAGES) * PAGE_BYTES;
  }

  set memoryBytes(bytes: number) {
    Atomics.store(this.words, PAGES, bytes / PAGE_BYTES);
  }

  /** Begins another errand, of which nothing is taken up yet. Gives its number. */
  begin(): number {
    Atomics.store(this.words, DONE, 0);
    return this.beginTaking(CLAIM);
  }

  /** Takes up the next chunk of an errand with so many paths: its first path; none when there is none left. */
  claim(errand: number, paths: number): number | undefined {
    const chunk = this.take(CLAIM, errand, Math.ceil(paths / CHUNK));
    return chunk === undefined ? undefined : chunk * CHUNK;
  }

  /** The same for a search, and the parcels that were sent so far. */
  beginParcels(): number {
    return this.beginTaking(PARCEL);
  }

  claimParcel(search: number, sent: number): number | undefined {
    return this.take(PARCEL, search, sent);
  }

  /** How many of them are taken up. */
  begunParcels(search: number): number {
    const taken = Atomics.load(this.words, PARCEL);
    return taken >>> 16 === search ? taken & 0xffff : 0;
  }

  private beginTaking(word: number): number {
    this.errand = (this.errand % MAX_ERRAND) + 1;
    Atomics.store(this.words, word, this.errand << 16);
    return this.errand;
  }

  private take(word: number, errand: number, count: number): number | undefined {
    for (;;) {
      const taken = Atomics.load(this.words, word);
      const next = taken & 0xffff;
      if (taken >>> 16 !== errand || next >= count) return undefined;
      if (Atomics.compareExchange(this.words, word, taken, taken + 1) === taken) return next;
    }
  }

  /** The scout has done a chunk. */
  addDone(): void {
    Atomics.add(this.words, DONE, 1);
    Atomics.notify(this.words, DONE);
  }

  /** Waits until the scout has done so many. Whether it did. */
  waitForDone(chunks: number, patienceMs: number): boolean {
    const end = performance.now() + patienceMs;
    for (;;) {
      const done = Atomics.load(this.words, DONE);
      if (done >= chunks) return true;
      const left = end - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.words, DONE, done, left);
    }
  }

  /** Answers that the scout sent. */
  get answers(): number {
    return Atomics.load(this.words, ANSWERS);
  }

  /** The scout has sent an answer. */
  addAnswer(): void {
    Atomics.add(this.words, ANSWERS, 1);
    Atomics.notify(this.words, ANSWERS);
  }

  /** Waits until there are others than so many. Whether there are. */
  waitForAnswer(known: number, waitMs: number): boolean {
    return Atomics.wait(this.words, ANSWERS, known, waitMs) !== "timed-out";
  }
}
