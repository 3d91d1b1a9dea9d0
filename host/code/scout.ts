// A second thread for one worker: it takes a part of the stats that the worker asks for at once, opens files that are going to
// be read (ahead.ts), and searches a part of those that a search has still to search when it has done so for a while. It does
// not walk the tree, and knows of it only what the worker says: two workers at their first search take longer in Bun than one
// (see `cores` in pool.ts).
//
// The two share memory. Who takes up a part says so there, so that the worker never waits for what was not begun; a message
// only tells the scout what there is to do, and the worker the answer.
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import { Ahead, Opener } from "./ahead";
import { AHEAD_FROM, Board, CHUNK, MAX_STATS } from "./board";
import { NodeFiles } from "./files";
import type { FilesScout } from "./instance";
import { startScoutCode } from "./local";
import { pathsOf, STAT_NUMBERS } from "./stats";
import type { Handle } from "./watch/handles";

/** What the two have in common. */
export interface ScoutSettings {
  /** The folder that may be read. */
  root: string;
  port: MessagePort;
  memory: SharedArrayBuffer;
  /** Of the scout: where its open files are noted. */
  handle: Handle;
  /** The search module, as the worker has compiled it. */
  module?: WebAssembly.Module;
}

/** Paths whose stats are wanted, as the module gives them. */
interface Errand {
  number: number;
  paths: string;
  latin1: boolean;
}

/** Files to be searched, as the module writes them; see src/code/text/parcels.rs. */
interface Parcel {
  search: number;
  number: number;
  bytes: Uint8Array;
}

/** What the scout is told: a number is that of a lot of files to be opened. */
type Message = Errand | Parcel | number | { prepare: true };

/** What was found in them: nothing where it could not be done. */
interface Answered {
  search: number;
  number: number;
  text: string;
}

/** With fewer a message costs more than it spares. */
const MIN_STATS = 256;
/** A scout that does not finish what it began in this time is done without from then on. Milliseconds. */
const PATIENCE_MS = 2_000;
/** Instances that it may lose. */
const MAX_LOST = 3;

/** The worker's way to its scout. */
class Line implements FilesScout {
  /** It does not answer. */
  isLost = false;
  readonly board: Board;
  readonly ahead: Ahead;
  private isCalled = false;
  private isPrepared = false;
  private search = 0;
  private waitedMs = 0;
  private readonly port: MessagePort;

  constructor(
    { port, memory }: Omit<ScoutSettings, "handle">,
    private readonly callOnce: () => void,
    noted: Int32Array,
  ) {
    this.board = new Board(memory);
    this.ahead = new Ahead(memory, AHEAD_FROM, noted);
    this.port = port;
  }

  /** `toSearch`: it gets ready for that, too. */
  call(toSearch: boolean): void {
    if (!this.isCalled) this.callOnce();
    this.isCalled = true;
    if (toSearch && !this.isPrepared) this.post({ prepare: true });
    this.isPrepared ||= toSearch;
  }

  isThere(): boolean {
    return !this.isLost && this.board.hasScout;
  }

  post(message: Message): void {
    this.port.postMessage(message);
  }

  openAhead(first: number, paths: Uint8Array): boolean {
    const lot = this.ahead.note(first, paths);
    if (lot !== undefined) this.post(lot);
    return lot !== undefined;
  }

  readAhead(number: number, into: Uint8Array): number {
    return this.ahead.read(number, into);
  }

  pathAhead(number: number): string | undefined {
    return this.ahead.pathOf(number);
  }

  memory(): number {
    return this.isLost ? 0 : this.board.memoryBytes;
  }

  send(number: number, parcel: Uint8Array): void {
    if (number === 0) this.search = this.board.beginParcels();
    this.post({ search: this.search, number, bytes: parcel.slice() });
  }

  hasBegun(sent: number): boolean {
    return this.board.begunParcels(this.search) >= sent;
  }

  takeBack(sent: number): number {
    return this.board.claimParcel(this.search, sent) ?? -1;
  }

  receive(waitMs: number): string | undefined {
    for (;;) {
      const known = this.board.answers;
      const answered = receiveMessageOnPort(this.port)?.message as Answered | undefined;
      if (answered?.search === this.search) {
        this.waitedMs = 0;
        return `${answered.number}:${answered.text}`;
      }
      if (answered) continue;
      if (waitMs === 0) return undefined;
      if (this.board.waitForAnswer(known, waitMs)) continue;
      this.waitedMs += waitMs;
      this.isLost ||= this.waitedMs > PATIENCE_MS;
      return this.isLost ? "!" : undefined;
    }
  }
}

/** A worker's files, with a scout when there is much to do. */
export class ScoutedFiles extends NodeFiles {
  private readonly line: Line;

  /** `call`: the scout is wanted. */
  constructor(settings: Omit<ScoutSettings, "handle">, handle: Handle, call: () => void) {
    super(settings.root, handle);
    this.line = new Line(settings, call, this.noted);
  }

  get scout(): FilesScout {
    return this.line;
  }

  override rest(): void {
    super.rest();
    this.line.ahead.end();
  }

  protected override release(): boolean {
    return this.line.ahead.end();
  }

  override stat(text: string, latin1: boolean, into: Float64Array): void {
    const paths = pathsOf(text);
    const isFew = paths.length < MIN_STATS || paths.length > MAX_STATS;
    if (!isFew) this.line.call(false);
    if (isFew || !this.line.isThere()) return this.statSome(paths, latin1, into, 0, paths.length);
    const { board } = this.line;
    const number = board.begin();
    const errand: Errand = { number, paths: text, latin1 };
    this.line.post(errand);
    const others = new Set<number>();
    for (let first = 0; first < paths.length; first += CHUNK) others.add(first);
    for (let first; (first = board.claim(number, paths.length)) !== undefined; others.delete(first))
      this.statSome(paths, latin1, into, first, first + CHUNK);
    const isDone = board.waitForDone(others.size, PATIENCE_MS);
    if (!isDone) this.line.isLost = true;
    for (const first of others) {
      const [from, to] = [first, Math.min(first + CHUNK, paths.length)];
      if (!isDone) this.statSome(paths, latin1, into, from, to);
      else into.set(board.stats.subarray(from * STAT_NUMBERS, to * STAT_NUMBERS), from * STAT_NUMBERS);
    }
  }
}

/** The scout's thread. */
export function scout({ root, port, memory, handle, module }: ScoutSettings): void {
  const board = new Board(memory);
  const files = new NodeFiles(root, handle);
  const opener = new Opener(memory, AHEAD_FROM, (path) => files.open(path, false));
  const searching = new Searching(files, module);

  function stats({ number, paths: text, latin1 }: Errand): void {
    const paths = pathsOf(text);
    for (let first; (first = board.claim(number, paths.length)) !== undefined; board.addDone())
      files.statSome(paths, latin1, board.stats, first, Math.min(first + CHUNK, paths.length));
  }

  // of the search under way; those that the worker took back are left
  let search = 0;
  let parcels: (Uint8Array | undefined)[] = [];
  function take(parcel: Parcel): void {
    if (parcel.search !== search) [search, parcels] = [parcel.search, []];
    parcels[parcel.number] = parcel.bytes;
    for (let number; (number = board.claimParcel(search, parcels.length)) !== undefined;) {
      const bytes = parcels[number];
      parcels[number] = undefined;
      const answered: Answered = { search, number, text: bytes ? searching.answer(bytes) : "" };
      board.memoryBytes = searching.memoryBytes;
      port.postMessage(answered);
      board.addAnswer();
    }
  }

  port.on("message", (message: Message) => {
    if (typeof message === "number") opener.serve(message);
    else if ("paths" in message) stats(message);
    else if ("bytes" in message) take(message);
    else prepare();
  });
  function prepare(): void {
    searching.start();
    board.memoryBytes = searching.memoryBytes;
  }
  board.setReady(true);
}

/** The scout's instance, which is replaced when it traps. */
class Searching {
  private code: ReturnType<typeof startScoutCode> | undefined;
  private lost = 0;

  constructor(
    private readonly files: NodeFiles,
    private readonly module: WebAssembly.Module | undefined,
  ) {}

  start(): void {
    this.code ??= startScoutCode(this.files, this.module);
  }

  get memoryBytes(): number {
    return this.code?.memoryBytes() ?? 0;
  }

  answer(parcel: Uint8Array): string {
    if (this.lost > MAX_LOST) return "";
    try {
      this.start();
      return this.code?.search(parcel) ?? "";
    } catch {
      this.code = undefined;
      this.lost += 1;
      return "";
    } finally {
      this.files.rest();
    }
  }
}
