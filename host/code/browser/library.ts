// The code tools as a library for browsers: `import { openTree } from "<package>/code/browser"`.
import type { BrowserTree, TreeSource } from "../browser";
import type { OpenTreeOptions } from "../code";
import type { Ask } from "../parts";
import type { Answer } from "../instance";
import { Aborted } from "../slices";
import { treeOver } from "../tree";
import type { Order, Told } from "./messages";
import { opened } from "./sources";

export { dropped } from "./sources";

/** See browser.d.ts, which is shipped. */
export function openTree(source: TreeSource, options: Pick<OpenTreeOptions, "memoryMb"> = {}): BrowserTree {
  const remote = new Remote(() => ({ open: opened(source), options: { search: options } }));
  const tree = treeOver(remote);
  // not spread: `memoryBytes` is read anew each time
  return Object.assign(tree, { refresh: () => remote.refresh() });
}

interface Pending {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** The worker, started at the first request; one that died is replaced at the next. */
class Remote {
  memoryBytes = 0;
  private worker: Worker | undefined;
  private isClosed = false;
  private next = 1;
  private readonly pending = new Map<number, Pending>();

  constructor(private readonly open: () => Order) {}

  ask: Ask = (artefact, method, args, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted || this.isClosed) return reject(new Aborted());
      const id = this.next++;
      const abort = () => {
        this.tell({ cancel: id });
        this.settle(id)?.reject(new Aborted());
      };
      const done = () => signal?.removeEventListener("abort", abort);
      this.pending.set(id, {
        resolve: (answer) => (done(), resolve(answer)),
        reject: (error) => (done(), reject(error)),
      });
      signal?.addEventListener("abort", abort, { once: true });
      this.worker ??= this.start();
      this.tell({ id, artefact, method, args: JSON.stringify(args ?? null) });
    });

  refresh(): void {
    this.tell({ refresh: true });
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.worker?.terminate();
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(new Aborted());
  }

  private start(): Worker {
    const worker = new Worker(new URL("./code-browser-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Told>) => {
      this.memoryBytes = data.memoryBytes;
      const pending = this.settle(data.id);
      if (data.answer) pending?.resolve(data.answer);
      else pending?.reject(new Aborted());
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      this.worker = undefined;
      const why = event.message || "its file could not be loaded";
      for (const id of [...this.pending.keys()])
        this.settle(id)?.reject(new Error(`The worker failed: ${why}.`));
    };
    worker.postMessage(this.open());
    return worker;
  }

  private tell(order: Order): void {
    this.worker?.postMessage(order);
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }
}
