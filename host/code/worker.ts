// A worker thread: serves the requests of one instance, one after another, and works on its index in between.
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { isObject, messageOf } from "../fault";
import type { Answer, Instance, Request } from "./instance";
import { LocalInstance, type InstanceSettings } from "./local";

/** What a worker is told. `flag` is set when nobody waits for the answer any more. */
export interface Order {
  id: number;
  request: Request;
  flag: SharedArrayBuffer;
}

/** What it tells. */
export type Told =
  { ready: true; workers: number } | { id: number; answer: Answer | undefined; memoryBytes: number };

/** For hosts without threads: the same file is loaded in place then. */
export { LocalInstance };

if (parentPort && isSettings(workerData)) work(parentPort, new LocalInstance(workerData));

function isSettings(data: unknown): data is InstanceSettings {
  return isObject(data) && "artefact" in data && "root" in data;
}

function work(port: MessagePort, instance: Instance): void {
  const tell = (told: Told) => port.postMessage(told);
  let waiting = 0;
  let isIdling = false;
  let last = Promise.resolve();

  /** Works on the index while nobody waits; between two slices messages come in. */
  function idle(): void {
    isIdling = waiting === 0 && instance.idle();
    if (isIdling) setImmediate(idle);
  }

  async function answer({ id, request, flag }: Order): Promise<void> {
    await instance.settle();
    const answer = serve(instance, request, new Int32Array(flag));
    tell({ id, answer, memoryBytes: instance.memoryBytes });
    waiting -= 1;
    if (isIdling) return;
    isIdling = true;
    setImmediate(idle);
  }

  port.on("message", (order: Order) => {
    waiting += 1;
    last = last.then(() => answer(order));
  });

  tell({ ready: true, workers: instance.workers });
}

/** The answer, unless somebody says meanwhile that nobody waits for it. */
function serve(instance: Instance, request: Request, flag: Int32Array): Answer | undefined {
  const steps = instance.serve(request);
  try {
    while (Atomics.load(flag, 0) === 0) {
      const step = steps.next();
      if (step.done) return step.value;
    }
    steps.return({ ok: false, text: "" });
    return undefined;
  } catch (error) {
    return { ok: false, text: messageOf(error) };
  }
}
