// The worker of a tree in a browser: one instance of each module that was asked for, over the same files. Without shared
// memory it hears of cancellations as messages, between two slices of its work.
import { messageOf } from "../../fault";
import { checkDataFile, dataFileOf, HEAD_BYTES } from "../data";
import { fileOf, Instance, type Answer, type Artefact, type ArtefactFile } from "../instance";
import { inSlices } from "../slices";
import { BrowserFiles } from "./files";
import type { Order, Told } from "./messages";

// each named as a whole, so that bundlers find the files
const MODULES: Partial<Record<ArtefactFile, URL>> = {
  "search.wasm": new URL("./search.wasm", import.meta.url),
  "syntax.wasm": new URL("./syntax.wasm", import.meta.url),
  "syntax-rules.wasm.gz": new URL("./syntax-rules.wasm.gz", import.meta.url),
  "syntax-more.wasm.gz": new URL("./syntax-more.wasm.gz", import.meta.url),
};
/** Of those that have their data in a file of its own. */
const DATA: Partial<Record<Artefact, URL>> = {
  search: new URL("./search.data.gz", import.meta.url),
  syntax: new URL("./syntax.data", import.meta.url),
};
const GZIP = [0x1f, 0x8b];

type Ask = Extract<Order, { id: number }>;

let files: BrowserFiles | undefined;
let options: unknown;
let isStale = false;
const instances = new Map<Artefact, Promise<Instance>>();
const cancelled = new Set<number>();
/** Requests are served one after another. */
let last: Promise<void> = Promise.resolve();
let waiting = 0;

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if ("open" in data) {
    files = new BrowserFiles(data.open);
    options = data.options;
  } else if ("cancel" in data) {
    cancelled.add(data.cancel);
  } else if ("refresh" in data) {
    isStale = true;
  } else {
    waiting += 1;
    last = last.then(() => answer(data));
  }
};

async function answer(order: Ask): Promise<void> {
  const told: Told = { id: order.id, answer: undefined, memoryBytes: 0 };
  try {
    told.answer = await serve(order);
  } catch (error) {
    told.answer = { ok: false, text: messageOf(error) };
  }
  cancelled.delete(order.id);
  waiting -= 1;
  const all = await Promise.allSettled(instances.values());
  for (const made of all) if (made.status === "fulfilled") told.memoryBytes += made.value.memoryBytes;
  self.postMessage(told);
  if (order.artefact === "search") void idle();
}

async function serve({ id, artefact, method, args }: Ask): Promise<Answer | undefined> {
  const tree = files;
  if (!tree) throw new Error("no tree was opened");
  const isGone = () => cancelled.has(id);
  await pause(); // a cancellation may be waiting
  if (isGone()) return undefined;
  if (isStale) {
    isStale = false;
    await tree.refresh();
  }
  const instance = await instanceOf(artefact, tree);
  for (;;) {
    const steps = instance.serve({ method, args, index: 0, of: 1 });
    const answer = await inSlices(steps, () => isGone() || tree.isBehind, pause);
    if (isGone() || !(await tree.fetch())) return answer;
  }
}

function instanceOf(artefact: Artefact, tree: BrowserFiles): Promise<Instance> {
  const known = instances.get(artefact);
  if (known) return known;
  const made = load(artefact).then(
    ({ module, fill }) => new Instance({ artefact, options, cores: 1 }, tree, module, fill),
  );
  instances.set(artefact, made);
  // the next request tries again
  made.catch(() => instances.delete(artefact));
  return made;
}

async function load(artefact: Artefact) {
  const url = MODULES[fileOf(artefact)];
  if (!url)
    throw new Error("This browser has no vector instructions in WebAssembly. Open the page in a newer one.");
  const beside = DATA[artefact];
  const [bytes, data] = await Promise.all([loaded(url), beside && loaded(beside)]);
  const module = await WebAssembly.compile(bytes);
  const file = dataFileOf(module);
  if (!file) return { module };
  const image = new Uint8Array(data ?? []);
  checkDataFile(file, image.subarray(0, HEAD_BYTES), image.length);
  const fill = ({ buffer }: WebAssembly.Memory) =>
    new Uint8Array(buffer).set(image.subarray(HEAD_BYTES), file.from);
  return { module, fill };
}

/** A file of the package, unpacked. */
async function loaded(url: URL): Promise<ArrayBuffer> {
  const response = await fetch(url).catch(() => undefined);
  if (!response?.ok) {
    const why = response ? `HTTP ${response.status}` : "is there a network?";
    throw new Error(`${url.pathname.split("/").pop()} could not be loaded (${why})`);
  }
  const bytes = await response.arrayBuffer();
  if (!url.pathname.endsWith(".gz")) return bytes;
  // a host may have told the browser to unpack it already
  const [first, second] = new Uint8Array(bytes, 0, 2);
  return first === GZIP[0] && second === GZIP[1] ? unpacked(bytes) : bytes;
}

function unpacked(bytes: ArrayBuffer): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Works on the index until somebody asks. */
async function idle(): Promise<void> {
  const instance = await instances.get("search");
  while (instance && waiting === 0 && instance.idle()) await pause();
}

const channel = new MessageChannel();
const resumes: (() => void)[] = [];
channel.port1.onmessage = () => resumes.shift()?.();

/** Lets messages come in. */
function pause(): Promise<void> {
  return new Promise((resume) => {
    resumes.push(resume);
    channel.port2.postMessage(undefined);
  });
}
