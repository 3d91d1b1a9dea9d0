// An instance over a folder of this machine, in Node or Bun.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { checkDataFile, dataFileOf, HEAD_BYTES } from "./data";
import { NodeFiles } from "./files";
import {
  dataFileNameOf,
  fileOf,
  GLUES,
  Instance,
  type Artefact,
  type Files,
  type Settings,
} from "./instance";
import type { Handle } from "./watch/handles";

/** What an instance is made for. */
export interface InstanceSettings extends Settings {
  /** The folder that may be read. */
  root: string;
  /** Where an open file is noted that does not end with the thread. */
  handle: Handle;
  /** The artefact as another thread has compiled it. */
  module?: WebAssembly.Module;
}

const modules = new Map<Artefact, WebAssembly.Module>();

export class LocalInstance extends Instance {
  constructor(settings: InstanceSettings, files: Files = new NodeFiles(settings.root, settings.handle)) {
    const module = settings.module ?? moduleOf(settings.artefact);
    super(settings, files, module, fillerOf(settings.artefact, module));
  }
}

/** A scout's instance of the search module, for the files of parcels. */
export function startScoutCode(files: NodeFiles, module = moduleOf("search")) {
  const glue = GLUES.search(queueMicrotask, fillerOf("search", module));
  const { memory } = glue.initSync({ module });
  const code = new glue.ScoutCode(files);
  return {
    search: (parcel: Uint8Array) => code.search(parcel),
    memoryBytes: () => memory.buffer.byteLength,
  };
}

function moduleOf(artefact: Artefact): WebAssembly.Module {
  let module = modules.get(artefact);
  if (!module) modules.set(artefact, (module = new WebAssembly.Module(unpacked(fileOf(artefact)))));
  return module;
}

/** The data is read into memory at once, not by way of a buffer, unless it is packed. */
function fillerOf(artefact: Artefact, module: WebAssembly.Module) {
  const data = dataFileOf(module);
  if (!data) return undefined;
  const name = dataFileNameOf(artefact);
  return (memory: WebAssembly.Memory): void => {
    if (isPacked(name)) {
      const image = unpacked(name);
      checkDataFile(data, image.subarray(0, HEAD_BYTES), image.length);
      new Uint8Array(memory.buffer).set(image.subarray(HEAD_BYTES), data.from);
      return;
    }
    const file = openSync(new URL(`./${name}`, import.meta.url), "r");
    try {
      const head = new Uint8Array(HEAD_BYTES);
      readSync(file, head);
      checkDataFile(data, head, fstatSync(file).size);
      const into = new Uint8Array(memory.buffer, data.from, data.length);
      for (let done = 0, count = 1; done < into.length && count > 0; done += count)
        count = readSync(file, into, done, into.length - done, HEAD_BYTES + done);
    } finally {
      closeSync(file);
    }
  };
}

const isPacked = (name: string) => /\.(gz|br)$/.test(name);

/** The contents of a file of the package. */
function unpacked(name: string): Uint8Array<ArrayBuffer> {
  const bytes = readFileSync(new URL(`./${name}`, import.meta.url));
  if (!isPacked(name)) return bytes;
  return name.endsWith(".gz") ? gunzipSync(bytes) : brotliDecompressSync(bytes);
}
