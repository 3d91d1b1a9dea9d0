// An instance over a folder of this machine, in Node or Bun.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { checkDataFile, dataFileOf, HEAD_BYTES } from "./data";
import { NodeFiles } from "./files";
import { fileOf, Instance, type Artefact, type Files, type Settings } from "./instance";
import { noteIn, type Handle } from "./watch/handles";

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
  constructor(
    settings: InstanceSettings,
    files: Files = new NodeFiles(settings.root, noteIn(settings.handle)),
  ) {
    const module = settings.module ?? moduleOf(settings.artefact);
    super(settings, files, module, fillerOf(settings.artefact, module));
  }
}

function moduleOf(artefact: Artefact): WebAssembly.Module {
  let module = modules.get(artefact);
  if (!module) modules.set(artefact, (module = new WebAssembly.Module(bytesOf(artefact))));
  return module;
}

/** The data is read into memory at once, not by way of a buffer. */
function fillerOf(artefact: Artefact, module: WebAssembly.Module) {
  const data = dataFileOf(module);
  if (!data) return undefined;
  return (memory: WebAssembly.Memory): void => {
    const file = openSync(new URL(`./${artefact}.data`, import.meta.url), "r");
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

function bytesOf(artefact: Artefact): Uint8Array<ArrayBuffer> {
  const name = fileOf(artefact);
  const bytes = readFileSync(new URL(`./${name}`, import.meta.url));
  if (name.endsWith(".gz")) return gunzipSync(bytes);
  return name.endsWith(".br") ? brotliDecompressSync(bytes) : bytes;
}
