// A second thread for one worker's file access: it takes a part of the stats that the worker asks for at once. It has no
// instance: two of them at their first search take longer in Bun than one (see `cores` in pool.ts), and what one knows of the
// tree the other does not.
//
// The two share memory. Who takes up a part says so there, so that the worker never waits for what was not begun; a message
// only tells the scout what there is to do.
import type { MessagePort } from "node:worker_threads";
import { Board, CHUNK, MAX_STATS } from "./board";
import { NodeFiles } from "./files";
import { pathsOf, STAT_NUMBERS } from "./stats";
import type { NoteHandle } from "./watch/watcher";

/** What the two have in common. */
export interface ScoutSettings {
  /** The folder that may be read. */
  root: string;
  port: MessagePort;
  memory: SharedArrayBuffer;
}

/** Paths whose stats are wanted, as the module gives them. */
interface Errand {
  number: number;
  paths: string;
  latin1: boolean;
}

/** With fewer a message costs more than it spares. */
const MIN_STATS = 256;
/** A scout that does not finish what it began in this time is done without from then on. Milliseconds. */
const PATIENCE_MS = 2_000;

/** A worker's files, with a scout when there is much to do. */
export class ScoutedFiles extends NodeFiles {
  private readonly board: Board;
  private readonly port: MessagePort;
  private isCalled = false;
  private isLost = false;

  /** `call`: the scout is wanted. */
  constructor(
    { root, port, memory }: ScoutSettings,
    note: NoteHandle,
    private readonly call: () => void,
  ) {
    super(root, note);
    this.board = new Board(memory);
    this.port = port;
  }

  override stat(text: string, latin1: boolean, into: Float64Array): void {
    const paths = pathsOf(text);
    if (paths.length < MIN_STATS || paths.length > MAX_STATS || !this.hasScout())
      return this.statSome(paths, latin1, into, 0, paths.length);
    const { board } = this;
    const number = board.begin();
    const errand: Errand = { number, paths: text, latin1 };
    this.port.postMessage(errand);
    const others = new Set<number>();
    for (let first = 0; first < paths.length; first += CHUNK) others.add(first);
    for (let first; (first = board.claim(number, paths.length)) !== undefined; others.delete(first))
      this.statSome(paths, latin1, into, first, first + CHUNK);
    this.isLost = !board.waitForDone(others.size, PATIENCE_MS);
    for (const first of others) {
      const [from, to] = [first, Math.min(first + CHUNK, paths.length)];
      if (this.isLost) this.statSome(paths, latin1, into, from, to);
      else into.set(board.stats.subarray(from * STAT_NUMBERS, to * STAT_NUMBERS), from * STAT_NUMBERS);
    }
  }

  /** Whether it is there; it is called when it is first wanted. */
  private hasScout(): boolean {
    if (this.isLost) return false;
    if (!this.isCalled) this.call();
    this.isCalled = true;
    return this.board.hasScout;
  }
}

/** The scout's thread. */
export function scout({ root, port, memory }: ScoutSettings): void {
  const board = new Board(memory);
  const files = new NodeFiles(root, () => undefined);
  port.on("message", ({ number, paths: text, latin1 }: Errand) => {
    const paths = pathsOf(text);
    for (let first; (first = board.claim(number, paths.length)) !== undefined; board.addDone())
      files.statSome(paths, latin1, board.stats, first, Math.min(first + CHUNK, paths.length));
  });
  board.setReady();
}
