// A worker thread: serves the requests of one instance, one after another, and works on its index in between.
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { isObject, messageOf } from "../fault";
import { Cancelled } from "./cancelled";
import type { Answer, Instance, Request } from "./instance";
import { LocalInstance, type InstanceSettings } from "./local";
import { newBoard } from "./board";
import { scout, ScoutedFiles, type ScoutSettings } from "./scout";
import { newHandle } from "./watch/handles";

/** What a worker is made with. */
export interface WorkerSettings extends InstanceSettings {
  cancelled: SharedArrayBuffer;
  /** It may call a scout. */
  calls?: ScoutSettings;
}

/** What a worker's scout is made with. */
export interface ScoutsSettings {
  scouts: ScoutSettings;
}

/** What it is told: no object within, as in what it tells, for Bun copies such a message in half the time. */
export interface Order extends Request {
  id: number;
}

/** What it tells: its scout is wanted, or an answer; none to a request that was cancelled. */
export type Told =
  | { ready: true; workers: number; module: WebAssembly.Module }
  | { calls: true }
  | ({ id: number; memoryBytes: number } & Partial<Answer>);

/** After its share of a search a worker leaves the index alone for so long, if it is not asked before. */
const SHARE_MS = 50;

/** For hosts without threads: the same file is loaded in place then; and for tests. */
export { LocalInstance, newBoard, newHandle, ScoutedFiles };

if (parentPort && isSettings(workerData))
  work(
    parentPort,
    new LocalInstance(workerData, filesOf(workerData, parentPort)),
    new Cancelled(workerData.cancelled),
  );
else if (parentPort && isScouts(workerData)) scout(workerData.scouts);

function isSettings(data: unknown): data is WorkerSettings {
  return isObject(data) && "artefact" in data && "root" in data && "cancelled" in data;
}

function isScouts(data: unknown): data is ScoutsSettings {
  return isObject(data) && "scouts" in data;
}

function filesOf({ calls, handle }: WorkerSettings, port: MessagePort): ScoutedFiles | undefined {
  const told: Told = { calls: true };
  return calls && new ScoutedFiles(calls, handle, () => port.postMessage(told));
}

function work(port: MessagePort, instance: Instance, cancelled: Cancelled): void {
  const tell = (told: Told) => port.postMessage(told);
  let waiting = 0;
  let last: Promise<void> | undefined;
  let soon: NodeJS.Immediate | undefined;
  let later: NodeJS.Timeout | undefined;

  /** Works on the index while nobody waits; between two slices messages come in. */
  function idle(): void {
    if (waiting === 0 && instance.idle()) soon = setImmediate(idle);
  }

  function answer(order: Order): void {
    const { id } = order;
    const answer = serve(instance, order, () => cancelled.has(id));
    tell({ id, ...answer, memoryBytes: instance.memoryBytes });
    waiting -= 1;
    clearImmediate(soon);
    clearTimeout(later);
    // others may be at their shares still, and the parts are put together by one of them
    if (order.of > 1 && !order.parts) later = setTimeout(idle, SHARE_MS);
    else soon = setImmediate(idle);
  }

  port.on("message", (order: Order) => {
    waiting += 1;
    /** At once where there is nothing to wait for; to put parts together no file is looked at. */
    const turn = () => {
      const settling = order.parts ? undefined : instance.settle();
      return settling ? settling.then(() => answer(order)) : answer(order);
    };
    last = waiting > 1 && last ? last.then(turn) : (turn() ?? undefined);
  });

  tell({ ready: true, workers: instance.workers, module: instance.module });
}

/** The answer, unless somebody says meanwhile that nobody waits for it. */
function serve(instance: Instance, request: Request, isGone: () => boolean): Answer | undefined {
  const steps = instance.serve(request);
  try {
    while (!isGone()) {
      const step = steps.next();
      if (step.done) return step.value;
    }
    steps.return({ ok: false, text: "" });
    return undefined;
  } catch (error) {
    return { ok: false, text: messageOf(error) };
  }
}
