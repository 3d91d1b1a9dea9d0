// The workers of one tree: started at the first request, cancelled by a flag that they look at, replaced when they die,
// and done without where there are no threads.
import { availableParallelism } from "node:os";
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import { messageOf } from "../fault";
import { closeAhead } from "./ahead";
import { AHEAD_FROM, Board, newBoard } from "./board";
import { Cancelled } from "./cancelled";
import type { Answer, Artefact, Instance, Request } from "./instance";
import type { InstanceSettings } from "./local";
import { Aborted, inSlices } from "./slices";
import { closeLeft, newHandle, type Handle } from "./watch/handles";
import type { ScoutSettings } from "./scout";
import type * as WorkerFile from "./worker";
import type { Order, ScoutsSettings, Told, WorkerSettings } from "./worker";

export type PoolSettings = Omit<InstanceSettings, "cores" | "handle">;

/**
 * Processors for workers. Bun stops every thread while it puts compiled WebAssembly in place: on two processors a first search
 * by two workers takes four times as long as by one, and OpenCode's own thread stands still for up to half a second. So there
 * one does the work, where the options say nothing else, and a scout (scout.ts) takes a part of what needs no instance.
 */
const cores = () => (process.versions["bun"] === undefined ? availableParallelism() : 1);

/** Somebody who serves requests. */
interface Server {
  /** How many the options want for one tree. */
  readonly workers: Promise<number>;
  request(request: Request, signal?: AbortSignal): Promise<Answer>;
  readonly memoryBytes: number;
  close(): Promise<void>;
}

/** How a worker or a worker's scout is made; throws where there are none. */
export type StartWorker = (settings: WorkerSettings | ScoutsSettings, port?: MessagePort) => Worker;

/** The worker's file, which is loaded here where there are no threads. */
const workerFile = new URL("./code-worker.js", import.meta.url);

const startWorker: StartWorker = (settings, port) =>
  new Worker(workerFile, {
    workerData: settings,
    transferList: port ? [port] : [],
    // with a scout what one of them opens the other may close
    trackUnmanagedFds: port === undefined,
  });

/**
 * The artefacts as a worker of this process has compiled them: the next one has them at once, and Bun goes on with the code
 * that it has made faster since.
 */
const compiled = new Map<Artefact, WebAssembly.Module>();

export class Pool {
  private servers: Server[] = [];
  private isNew = true;
  private isClosed = false;

  constructor(
    private readonly settings: PoolSettings,
    private readonly start: StartWorker = startWorker,
  ) {}

  /** Answers a request; rejects with `Aborted` when the signal says so, at once. */
  async request(method: string, args: unknown, signal?: AbortSignal): Promise<Answer> {
    if (signal?.aborted || this.isClosed) throw new Aborted();
    const request = { method, args: JSON.stringify(args ?? null), index: 0, of: 1 };
    const first = this.server(0);
    // the second is not to wait until the first is ready; it ends if it is not wanted
    if (this.isNew && this.settings.artefact === "search" && cores() > 1) this.server(1);
    this.isNew = false;
    const of = await first.workers;
    for (const server of this.servers.splice(of)) void server.close();
    if (of <= 1) return first.request(request, signal);
    const shares = Array.from({ length: of }, (_, index) =>
      this.server(index).request({ ...request, index, of }, signal),
    );
    const answers = await Promise.all(shares);
    const failed = answers.find(({ ok }) => !ok);
    if (failed) return failed;
    return first.request({ ...request, parts: answers.map(({ text }) => text) }, signal);
  }

  /** Bytes of all instances' memories, as far as they told. */
  get memoryBytes(): number {
    return this.servers.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  }

  /** Ends the workers; requests under way are rejected. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.servers.map((server) => server.close()));
    this.servers = [];
  }

  private server(index: number): Server {
    const mayScout = this.settings.artefact === "search" && index < availableParallelism() - cores();
    return (this.servers[index] ??= new Threaded(
      { ...this.settings, cores: cores(), handle: newHandle() },
      this.start,
      mayScout,
    ));
  }
}

/** A pool for each artefact, made when it is first asked. */
export class Pools {
  private readonly pools = new Map<Artefact, Pool>();

  constructor(private readonly settings: Omit<PoolSettings, "artefact">) {}

  ask(artefact: Artefact, method: string, args: unknown, signal?: AbortSignal): Promise<Answer> {
    let pool = this.pools.get(artefact);
    if (!pool) this.pools.set(artefact, (pool = new Pool({ ...this.settings, artefact })));
    return pool.request(method, args, signal);
  }

  get memoryBytes(): number {
    return [...this.pools.values()].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.close()));
  }
}

interface Pending {
  request: Request;
  isGone: boolean;
  retried: boolean;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** A worker thread, or what takes its place. */
class Threaded implements Server {
  readonly workers: Promise<number>;
  memoryBytes = 0;
  private worker: Worker | undefined;
  private callScout: () => void = () => undefined;
  private scout: Worker | undefined;
  /** What it shares with others. */
  private scouts: { memory: SharedArrayBuffer; handle: Handle } | undefined;
  private inPlace: InPlace | undefined;
  private isReady = false;
  private isClosed = false;
  private next = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly cancelled = new Cancelled();
  private tellWorkers: (count: number) => void = () => undefined;

  constructor(
    private readonly settings: InstanceSettings,
    private readonly start: StartWorker,
    /** There is a processor for its scout. */
    private readonly mayScout: boolean,
  ) {
    this.workers = new Promise((resolve) => (this.tellWorkers = resolve));
    this.spawn();
  }

  request(request: Request, signal?: AbortSignal): Promise<Answer> {
    if (this.inPlace) return this.inPlace.request(request, signal);
    return new Promise((resolve, reject) => {
      if (signal?.aborted || this.isClosed) return reject(new Aborted());
      const id = this.next++;
      const abort = () => this.abort(id, pending);
      const done = () => signal?.removeEventListener("abort", abort);
      const pending: Pending = {
        request,
        isGone: false,
        retried: false,
        resolve: (answer) => (done(), resolve(answer)),
        reject: (error) => (done(), reject(error)),
      };
      this.pending.set(id, pending);
      signal?.addEventListener("abort", abort, { once: true });
      this.hold();
      if (!this.worker) this.spawn();
      else this.send(id);
    });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const [id, pending] of this.pending) this.abort(id, pending);
    this.tellWorkers(1);
    await this.worker?.terminate();
    await this.endScout();
    closeLeft(this.settings.handle);
    this.inPlace?.close();
  }

  private abort(id: number, pending: Pending): void {
    pending.isGone = true;
    this.cancelled.add(id);
    this.settle(id)?.reject(new Aborted());
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    this.hold();
    return pending;
  }

  /** The thread keeps the process alive only while somebody waits for it. */
  private hold(): void {
    if (this.pending.size > 0 || !this.isReady) this.worker?.ref();
    else this.worker?.unref();
  }

  private send(id: number): void {
    const pending = this.pending.get(id);
    if (!pending || !this.worker) return;
    const order: Order = { id, ...pending.request };
    this.worker.postMessage(order);
  }

  private spawn(): void {
    if (this.inPlace) return;
    let worker: Worker;
    try {
      const cancelled = this.cancelled.memory;
      const calls = this.mayScout ? this.prepareScout() : undefined;
      const module = compiled.get(this.settings.artefact);
      worker = this.start(
        { ...this.settings, cancelled, ...(calls && { calls }), ...(module && { module }) },
        calls?.port,
      );
    } catch {
      this.goInPlace();
      return;
    }
    this.worker = worker;
    worker.on("message", (told: Told) => this.onTold(told));
    worker.on("error", (error) => this.onGone(worker, messageOf(error)));
    worker.on("exit", () => this.onGone(worker, "the worker ended"));
    this.hold();
    for (const id of this.pending.keys()) this.send(id);
  }

  /** What a worker has of its scout, which is there when the worker calls it. */
  private prepareScout(): ScoutSettings {
    const { port1, port2 } = new MessageChannel();
    const settings = { root: this.settings.root, memory: newBoard(), handle: newHandle() };
    this.scouts = settings;
    this.callScout = () => {
      try {
        const module = compiled.get("search");
        this.scout = this.start({ scouts: { ...settings, port: port2, ...(module && { module }) } }, port2);
        this.scout.unref();
        // the worker goes on without
        this.scout.on("error", () => undefined);
        this.scout.on("exit", () => new Board(settings.memory).setReady(false));
      } catch {
        // likewise
      }
    };
    return { ...settings, port: port1 };
  }

  private async endScout(): Promise<void> {
    const { scout, scouts } = this;
    this.scout = undefined;
    await scout?.terminate();
    if (!scouts) return;
    closeLeft(scouts.handle);
    closeAhead(scouts.memory, AHEAD_FROM);
  }

  private onTold(told: Told): void {
    if ("calls" in told) {
      if (!this.isClosed) this.callScout();
      return;
    }
    if ("ready" in told) {
      this.isReady = true;
      compiled.set(this.settings.artefact, told.module);
      this.hold();
      this.tellWorkers(told.workers);
      return;
    }
    this.memoryBytes = told.memoryBytes;
    const pending = this.settle(told.id);
    const { ok, text } = told;
    if (ok === undefined || text === undefined) pending?.reject(new Aborted());
    else pending?.resolve({ ok, text });
  }

  /** A worker that never came up can't be had here. Of one that died the requests are sent to another, once. */
  private onGone(worker: Worker, reason: string): void {
    if (this.worker !== worker || this.isClosed) return;
    closeLeft(this.settings.handle);
    void this.endScout();
    this.worker = undefined;
    this.memoryBytes = 0;
    if (!this.isReady) {
      this.goInPlace();
      return;
    }
    for (const [id, pending] of this.pending) {
      if (pending.retried) this.settle(id)?.resolve({ ok: false, text: `The search failed: ${reason}.` });
      pending.retried = true;
    }
    if (this.pending.size > 0) this.spawn();
  }

  private goInPlace(): void {
    const inPlace = (this.inPlace = new InPlace(this.settings));
    this.tellWorkers(1);
    for (const [id, pending] of this.pending) {
      this.pending.delete(id);
      inPlace.serve(pending.request, () => pending.isGone).then(pending.resolve, pending.reject);
    }
  }
}

/** An instance in this thread: requests one after another, in slices between which others get their turn. */
class InPlace {
  private instance: Instance | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  constructor(private readonly settings: InstanceSettings) {}

  request(request: Request, signal?: AbortSignal): Promise<Answer> {
    return this.serve(request, () => signal?.aborted === true);
  }

  serve(request: Request, isGone: () => boolean): Promise<Answer> {
    const turn = this.last.then(() => this.slices(request, isGone));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async slices(request: Request, isGone: () => boolean): Promise<Answer> {
    const instance = (this.instance ??= await this.load());
    const pause = () => new Promise<void>((resume) => void setImmediate(resume));
    await pause(); // many short requests in a row are no reason to keep others waiting
    await instance.settle();
    const answer = await inSlices(instance.serve(request), () => isGone() || this.isClosed, pause);
    if (!answer) throw new Aborted();
    return answer;
  }

  private async load(): Promise<Instance> {
    const file = (await import(workerFile.href)) as typeof WorkerFile;
    return new file.LocalInstance({ ...this.settings, cores: 1 });
  }

  close(): void {
    this.isClosed = true;
    this.instance?.close();
  }
}
