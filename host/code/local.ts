// An instance over a folder of this machine, in Node or Bun.
import { readFileSync } from "node:fs";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { NodeFiles } from "./files";
import { fileOf, Instance, type Artefact, type Files, type Settings } from "./instance";
import { noteIn, type Handle } from "./watch/handles";

/** What an instance is made for. */
export interface InstanceSettings extends Settings {
  /** The folder that may be read. */
  root: string;
  /** Where an open file is noted that does not end with the thread. */
  handle: Handle;
}

const modules = new Map<Artefact, WebAssembly.Module>();

export class LocalInstance extends Instance {
  constructor(
    settings: InstanceSettings,
    files: Files = new NodeFiles(settings.root, noteIn(settings.handle)),
  ) {
    super(settings, files, moduleOf(settings.artefact));
  }
}

function moduleOf(artefact: Artefact): WebAssembly.Module {
  let module = modules.get(artefact);
  if (!module) modules.set(artefact, (module = new WebAssembly.Module(bytesOf(artefact))));
  return module;
}

function bytesOf(artefact: Artefact): Uint8Array<ArrayBuffer> {
  const name = fileOf(artefact);
  const bytes = readFileSync(new URL(`./${name}`, import.meta.url));
  if (name.endsWith(".gz")) return gunzipSync(bytes);
  return name.endsWith(".br") ? brotliDecompressSync(bytes) : bytes;
}
