// What the parsing tests share: the modules as a library, and real source files.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { at } from "../../../tools/lib.mjs";

const MODULES = ["syntax", "syntax-rules", "syntax-more"];
const compiled = new Map();
/** Of a module's data file: see `takeData` in tools/wasm-file.mjs. */
const ID_BYTES = 16;

/** Puts a module's data into its memory, where it is in a file of its own. */
function fill(name, memory, module) {
  const [section] = WebAssembly.Module.customSections(module, "data file");
  if (!section) return;
  const from = new DataView(section).getUint32(ID_BYTES, true);
  const data = readFileSync(at("target/wasm", name, `${name}.data`));
  new Uint8Array(memory.buffer).set(data.subarray(ID_BYTES), from);
}

async function load(name) {
  const { instantiate } = await import(at("target/wasm", name, "glue.js"));
  const wasm = at("target/wasm", name, `${name}_bg.wasm`);
  if (!compiled.has(name)) compiled.set(name, new WebAssembly.Module(readFileSync(wasm)));
  const module = compiled.get(name);
  const glue = instantiate(queueMicrotask, (memory) => fill(name, memory, module));
  glue.initSync({ module });
  return { grammars: new glue.Grammars(), languages: glue.Grammars.languages() };
}

/**
 * A library over the grammars of all modules: `grammars("rust")` gives the first that has it; `grammars("rust", query)` that
 * which can take the query, a pattern or a rule.
 */
export async function library() {
  const loaded = await Promise.all(MODULES.map(load));
  const of = (language, query = "") => {
    const having = loaded.filter(({ languages }) => languages.includes(language));
    return (query.startsWith("rule:") ? having.at(-1) : having[0])?.grammars;
  };
  const languages = new Set(loaded.flatMap(({ languages }) => languages));
  return Object.assign(of, { languages: [...languages].sort() });
}

/** Numbers below `n`, the same in every run: a linear congruential generator, whose low bits are not random. */
export function random(seed = 1) {
  return (n) => ((seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 8) % n;
}

/** A folder for a test's files. */
export function scratch(name) {
  const dir = at("target/syntax-tests", name);
  mkdirSync(dir, { recursive: true });
  return dir;
}

// Real sources that every machine that builds this project has: its dependencies, and Python's own library.
const PLACES = {
  ".rs": [join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src")],
  ".ts": [at("node_modules")],
  ".js": [at("node_modules"), join(homedir(), ".npm"), "/usr/share/nodejs", "/usr/lib/node_modules"],
  ".c": [join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src")],
  ".css": [join(process.env.RUSTUP_HOME ?? join(homedir(), ".rustup"), "toolchains"), at("node_modules")],
  ".json": [at("node_modules"), "/usr/lib/node_modules"],
  ".py": ["/usr/lib/python3", "/usr/lib/python3.11", "/usr/lib/python3.12", "/usr/lib/python3.13"],
};

/** Up to `count` real files with the extension, between the sizes in bytes, spread over all there are. */
export function sources(
  extension,
  count,
  { least = 200, most = 400_000, longest = Infinity, places = [] } = {},
) {
  const found = [...PLACES[extension], ...places].flatMap((place) => below(place, extension)).sort();
  const step = Math.max(1, Math.floor(found.length / (count * 2)));
  const texts = [];
  for (let i = 0; i < found.length && texts.length < count; i += step) {
    const bytes = readFileSync(found[i]);
    const text = bytes.toString("utf8");
    // byte offsets are compared: what is not UTF-8 has others
    const isWhole = Buffer.byteLength(text) === bytes.length && !text.includes("\ufffd");
    if (text.split("\n").some((line) => line.length > longest)) continue;
    if (bytes.length >= least && bytes.length <= most && isWhole && !text.startsWith("\ufeff")) {
      texts.push({ path: found[i], text });
    }
  }
  return texts;
}

function below(dir, extension) {
  const found = [];
  const visit = (folder) => {
    let entries = [];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      return; // not there on this machine
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && entry.name.endsWith(extension)) found.push(path);
    }
  };
  visit(dir);
  return found;
}
