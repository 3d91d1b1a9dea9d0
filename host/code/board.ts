// The memory that a worker shares with its scout (scout.ts).
import { STAT_NUMBERS } from "./stats";

/** Whether the scout is there, what is taken up (the errand's number and the next chunk), and chunks that the scout did. */
const [READY, CLAIM, DONE] = [0, 1, 2];
const WORDS = 16;
/** Stats that are taken up at once: some 100 microseconds. */
export const CHUNK = 32;
/** As many as the module asks for: CHECKED_AT_ONCE in src/code/limits.rs. */
export const MAX_STATS = 2048;
const MAX_ERRAND = 0x7fff;
const WORDS_BYTES = WORDS * Int32Array.BYTES_PER_ELEMENT;

/** Memory for a board: 100 kB. */
export const newBoard = () =>
  new SharedArrayBuffer(WORDS_BYTES + MAX_STATS * STAT_NUMBERS * Float64Array.BYTES_PER_ELEMENT);

export class Board {
  readonly stats: Float64Array;
  private readonly words: Int32Array;
  private errand = 0;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, WORDS);
    this.stats = new Float64Array(memory, WORDS_BYTES);
  }

  get hasScout(): boolean {
    return Atomics.load(this.words, READY) === 1;
  }

  /** The scout is there. */
  setReady(): void {
    Atomics.store(this.words, READY, 1);
  }

  /** Begins another errand, of which nothing is taken up yet. Gives its number. */
  begin(): number {
    this.errand = (this.errand % MAX_ERRAND) + 1;
    Atomics.store(this.words, DONE, 0);
    Atomics.store(this.words, CLAIM, this.errand << 16);
    return this.errand;
  }

  /** Takes up the next chunk of an errand with so many paths: its first path; none when there is none left. */
  claim(errand: number, paths: number): number | undefined {
    for (;;) {
      const word = Atomics.load(this.words, CLAIM);
      const first = (word & 0xffff) * CHUNK;
      if (word >>> 16 !== errand || first >= paths) return undefined;
      if (Atomics.compareExchange(this.words, CLAIM, word, word + 1) === word) return first;
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
}
