// Builds pkg/, the npm package that people install, from src/ (Rust) and host/ (TypeScript).
//   src/  --wasm-pack-->  target/wasm/<module>/   <module>_bg.wasm, <module>.js, glue.js (see writeGlue), for each of MODULES
//   host/ --esbuild--->   pkg/                    a file for each of ENTRIES, importing only node: modules
// Each of the steps is skipped while its inputs are what they were; --force builds anyway.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { basename } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { at, filesBelow, read, run, runAsProgram, seconds, Stop } from "./lib.mjs";
import { dropNames, dropZeros, limitMemory, linkedSections, objectsOf, takeData } from "./wasm-file.mjs";

const MAX_PACKAGE_BYTES = 16_000_000;
// Flags of the code tools, and a folder of its own for them: cargo would compile everything anew at each change of flags.
export const CODE_ENV = {
  CARGO_TARGET_DIR: at("target", "code"),
  // cargo knows nothing of the wrapper of the C compiler: another one means other flags
  CFLAGS_wasm32_unknown_unknown: `-DWASM_CC=0x${hashOf(["tools/wasm-cc", "tools/wasm-libc"]).slice(0, 8)}`,
};
// OpenCode's runtime compiles all of a module before its first call, on one thread where there are two processors: an eighth
// of that time went to functions that were copied into their callers. No search is slower without.
const LEAN = "-C llvm-args=-inline-threshold=25";
const LEAN_ENV = { RUSTFLAGS: LEAN, CARGO_TARGET_DIR: at("target", "lean") };
// Vector instructions: only for text search, where they count. Bun has them only on x86 processors with AVX.
export const VECTORS_ENV = {
  RUSTFLAGS: `-C target-feature=+simd128 ${LEAN}`,
  CARGO_TARGET_DIR: at("target", "vectors"),
};
// How the code is optimised, by crate. Most of a module is seldom run, and all of it is shipped; memchr and our own loops are
// where the time goes.
const SMALL = { default: "z", memchr: 3, "opencode-orchestrator": 3 };
// 3 makes the search module larger by 22 kB and no query faster; "s" makes it smaller by 50 kB, and alternatives take twice
// the time.
const SEARCHING = { ...SMALL, "opencode-orchestrator": 2 };
// All of a module's code is compiled before its first call, at some 20 ms a megabyte of code in OpenCode's runtime. Parsing
// and matching are where the time goes. tree-sitter at 3 is larger and parses no faster; at "s" it parses some percent slower.
export const SMALLEST = {
  default: "z",
  "tree-sitter": 2,
  "ast-grep-core": 3,
  hashbrown: 3,
  memchr: 3,
  "opencode-orchestrator": "s",
};
// A parser at the end of a file can take all memory that there is in one step of its own; so much, in bytes, a tree of the
// largest file does not need. An instance that wants more is given up.
const PARSING = { env: CODE_ENV, optLevels: SMALLEST, maxMemory: 1 << 30 };
// Rules match by regular expressions, too.
const RULES = { ...PARSING, optLevels: { ...SMALLEST, "regex-automata": "s" } };
// The artefacts of the crate: a Cargo feature each, loaded when first needed.
const MODULES = [
  { name: "engine", feature: "engine", env: LEAN_ENV },
  // its data is for the most part tables of Unicode, which take a quarter when packed
  {
    name: "search",
    feature: "search",
    env: VECTORS_ENV,
    optLevels: SEARCHING,
    isDataApart: true,
    dataPacked: "gz",
  },
  // for runtimes without vector instructions, of which no browser is one that is up to date
  {
    name: "search-plain",
    feature: "search",
    env: CODE_ENV,
    optLevels: SEARCHING,
    glue: "search",
    packed: "br",
  },
  // its data, of which there is three times as much as of code, is in a file of its own
  { name: "syntax", feature: "syntax", ...PARSING, isDataApart: true },
  // for rules, and for rare languages; browsers, too, can unpack them
  { name: "syntax-rules", feature: "syntax-rules", ...RULES, packed: "gz" },
  { name: "syntax-more", feature: "syntax-more", ...RULES, packed: "gz" },
];
// What is bundled: the plugin, and what of the code tools runs in threads of its own or in other programs.
const ENTRIES = {
  index: "host/index.ts",
  plugin: "host/plugin.ts",
  "code-worker": "host/code/worker.ts",
  code: "host/code/library.ts",
};
// The same for browsers: the library, and what it starts as a worker.
const BROWSER_ENTRIES = {
  "code-browser": "host/code/browser/library.ts",
  "code-browser-worker": "host/code/browser/worker.ts",
};
const ALL_ENTRIES = { ...ENTRIES, ...BROWSER_ENTRIES };
// What a package's users see of them.
const DECLARATIONS = { "code.d.ts": "host/code/code.d.ts", "code-browser.d.ts": "host/code/browser.d.ts" };
const FOR_BROWSERS = { platform: "browser", target: "es2022" };
// The playground's, in no package.
const THEATRE = { name: "theatre", feature: "theatre", optLevels: SMALL };
const PAGE_FILES = ["index.html", "style.css", "lab.css"];
const WWW_INPUTS = ["www/src", ...PAGE_FILES.map((name) => `www/${name}`), "package-lock.json"];
// What the code lab shows when no folder is open: sources of this project, and files that are broken on purpose.
const SAMPLE = ["src/mission", "src/concurrency", "src/exec", "host", "www/sample"];
const SAMPLE_FILES = /^(?!host\/generated).*\.(rs|ts|sh|py|json|toml|md|txt)$/;
const dirOf = (name) => `target/wasm/${name}`;
const shippedAs = ({ name, packed }) => [name, "wasm", packed].filter(Boolean).join(".");
/** All of a module's files in the package. */
const shipped = (module) => [shippedAs(module), ...dataOf(module).map((path) => dataShippedAs(module, path))];
const dataShippedAs = ({ dataPacked }, path) => [basename(path), dataPacked].filter(Boolean).join(".");
const brotli = (bytes, quality) =>
  brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    },
  });
/** What is loaded only when a processor, or a file, needs it is shipped packed. */
const PACKERS = {
  gz: (bytes) => gzipSync(bytes, { level: 9 }),
  br: (bytes) => brotli(bytes, constants.BROTLI_MAX_QUALITY),
};
const wasmOf = ({ name, glue = name }) => `${dirOf(name)}/${glue}_bg.wasm`;
const dataOf = ({ name, isDataApart }) => (isDataApart ? [`${dirOf(name)}/${name}.data`] : []);
const WASM_INPUTS = [
  ...["Cargo.toml", "Cargo.lock", ".cargo", "build.rs", "src"],
  ...["tools/build.mjs", "tools/wasm-file.mjs", "tools/wasm-cc", "tools/wasm-libc"],
];
const GLUES = Object.fromEntries(
  MODULES.filter(({ glue }) => !glue).map(({ name }) => [`${name}-glue`, at(dirOf(name), "glue.js")]),
);
const SCHEMA = "host/generated/options.schema.json";
const PKG_INPUTS = ["host", "package.json", "package-lock.json", "tsconfig.json", "README.md", "LICENSE"];

/** Builds what is out of date. */
export async function build({ force = false } = {}) {
  const start = performance.now();
  checkVersions();
  for (const module of MODULES) {
    const glue = `${dirOf(module.glue ?? module.name)}/glue.js`;
    const outputs = [wasmOf(module), ...dataOf(module), glue];
    await step(module.name, force, WASM_INPUTS, outputs, () => buildModule(module));
  }
  // The host never sees the Rust sources, only what came out of them.
  const made = MODULES.map(({ name }) => dirOf(name));
  const inputs = [...PKG_INPUTS, ...made, "tools/build.mjs"];
  if (await step("package", force, inputs, ["pkg/index.js"], buildPackage)) {
    printSizes("pkg");
    printGrammars();
  }
  console.log(`build: done (${seconds(start)})`);
}

/** Builds www/dist, the playground as any file host can serve it, as far as it is out of date. */
export async function buildPlayground() {
  const outputs = [wasmOf(THEATRE)];
  await step(THEATRE.name, false, WASM_INPUTS, outputs, () => buildModule(THEATRE));
  const lab = MODULES.filter(({ name }) => name !== "engine").map(({ name }) => dirOf(name));
  const inputs = [...WWW_INPUTS, ...SAMPLE, ...lab, dirOf(THEATRE.name), "tools/build.mjs"];
  await step("playground", false, inputs, ["www/dist/index.html"], bundlePlayground);
  printSizes("www/dist");
}

async function bundlePlayground() {
  const esbuild = await import("esbuild");
  const out = at("www/dist");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  for (const name of PAGE_FILES) copyFileSync(at("www", name), `${out}/${name}`);
  copyFileSync(at(wasmOf(THEATRE)), `${out}/theatre.wasm`);
  // the lab's modules: the page asks for them when it is first looked at
  const ofLab = MODULES.filter(({ name, packed }) => name !== "engine" && packed !== "br");
  for (const name of ofLab.flatMap(shipped)) copyFileSync(at("pkg", name), `${out}/${name}`);
  writeFileSync(`${out}/sample.json`, JSON.stringify(sampleFiles()));
  const options = {
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    outdir: out,
    absWorkingDir: at(),
    alias: { ...GLUES, "theatre-module": at(dirOf(THEATRE.name), `${THEATRE.name}.js`) },
  };
  const { metafile } = await esbuild.build({
    ...options,
    metafile: true,
    splitting: true,
    chunkNames: "[name]-[hash]",
    entryPoints: [at("www/src/app.ts")],
  });
  await esbuild.build({
    ...options,
    entryPoints: entryPoints({ "code-browser-worker": BROWSER_ENTRIES["code-browser-worker"] }),
  });
  // The worker that keeps the page for when there is no network: another version of the page is another cache.
  const define = {
    VERSION: JSON.stringify(hashOf(filesBelow("www/dist")).slice(0, 12)),
    FILES: JSON.stringify(["./", ...firstLoad(metafile).map((name) => `./${name}`)]),
  };
  await esbuild.build({ ...options, entryPoints: [at("www/src/offline.ts")], define });
}

/** What the page loads to start; the lab's files come later. */
function firstLoad({ outputs }) {
  const scripts = new Set(["www/dist/app.js"]);
  for (const path of scripts) {
    const needed = outputs[path].imports.filter(({ kind }) => kind === "import-statement");
    for (const { path } of needed) scripts.add(path);
  }
  return [...PAGE_FILES, "theatre.wasm", ...[...scripts].map((path) => basename(path))];
}

/** The sample's files by path; what is in www/sample is at its top. */
function sampleFiles() {
  const paths = SAMPLE.flatMap(filesBelow).filter((path) => SAMPLE_FILES.test(path));
  return Object.fromEntries(paths.map((path) => [path.replace(/^www\/sample\//, ""), read(path)]));
}

/** Runs `make` unless the files in `inputs` have the contents they had when it last succeeded. */
async function step(name, force, inputs, outputs, make) {
  const start = performance.now();
  const stamp = at("target", `${name}.stamp`);
  const before = hashOf(inputs);
  const known = existsSync(stamp) ? readFileSync(stamp, "utf8") : undefined;
  if (!force && known === before && outputs.every((path) => existsSync(at(path)))) {
    console.log(`build: ${name} is up to date`);
    return false;
  }
  rmSync(stamp, { force: true });
  await make();
  writeFileSync(stamp, before); // not of now: what changed meanwhile is not in it
  console.log(`build: ${name} (${seconds(start)})`);
  return true;
}

function hashOf(inputs) {
  const hash = createHash("sha256");
  for (const path of inputs.flatMap(filesBelow)) {
    hash.update(`${path}\0`).update(
      createHash("sha256")
        .update(readFileSync(at(path)))
        .digest(),
    );
  }
  return hash.digest("hex");
}

/** Cargo's arguments for them. */
export const optLevelArgs = (levels) =>
  Object.entries(levels).flatMap(([crate, level]) => {
    const of = crate === "default" ? "" : `package.${crate}.`;
    return ["--config", `profile.release.${of}opt-level=${JSON.stringify(level)}`];
  });

async function buildModule(module) {
  const { name, feature, env = {}, optLevels = {}, maxMemory, glue } = module;
  const options = `--release --target web --no-pack --mode no-install --out-name ${glue ?? name} --out-dir ${dirOf(name)}`;
  const cargo = ["--no-default-features", "--features", feature];
  await run("wasm-pack", ["build", ...options.split(" "), "--", ...cargo, ...optLevelArgs(optLevels)], {
    env,
  });
  const file = at(wasmOf(module));
  let wasm = dropNames(readFileSync(file));
  checkImports(wasm);
  if (maxMemory) wasm = limitMemory(wasm, maxMemory);
  const [data] = dataOf(module);
  if (data) {
    const apart = takeData(wasm);
    writeFileSync(at(data), apart.data);
    wasm = apart.wasm;
  } else if (maxMemory) wasm = dropZeros(wasm);
  writeFileSync(file, wasm);
  if (glue) checkGlue(name, glue);
  else await writeGlue(name);
}

/** Another build of a module is loaded with the glue of the first. */
function checkGlue(name, other) {
  if (read(`${dirOf(name)}/${other}.js`) !== read(`${dirOf(other)}/${other}.js`))
    throw new Stop(`the glue of ${name} is not that of ${other}`);
}

/** The linker turns an undefined C symbol into an import from "env" without a word; loading would fail. */
function checkImports(wasm) {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  const unresolved = imports.filter(({ module }) => module === "env").map(({ name }) => name);
  if (unresolved.length > 0) {
    throw new Stop(`the module has unresolved symbols (imports from "env"): ${unresolved.join(", ")}`);
  }
}

// How wasm-bindgen's glue copies a string into memory: its ASCII start character by character, and only the rest by the
// runtime's encoder, which takes half the time for all of it.
const COPY_ASCII =
  /const mem = getUint8ArrayMemory0\(\);\s+let offset = 0;\s+for \(; offset < len; offset\+\+\) \{[^}]+\}\s+if \(offset !== len\) \{\s+if \(offset !== 0\) \{\s+arg = arg\.slice\(offset\);\s+\}/;
const ENCODE = `const encoded = cachedTextEncoder.encodeInto(arg, getUint8ArrayMemory0().subarray(ptr, ptr + len));
    let offset = encoded.written;
    if (encoded.read !== len) {
      arg = arg.slice(encoded.read);`;

/** The glue with strings encoded by the runtime. */
function encodeAtOnce(glue) {
  if (!COPY_ASCII.test(glue)) throw new Stop("wasm-bindgen's glue copies strings in another way than before");
  return glue.replace(COPY_ASCII, ENCODE);
}

const START = "wasm.__wbindgen_start();";

/** The glue with memory filled before any of the module runs. */
function fillFirst(glue) {
  if (glue.split(START).length !== 2)
    throw new Stop("wasm-bindgen's glue starts modules in another way than before");
  return glue.replace(START, `fill?.(wasm.memory);\n    ${START}`);
}

/**
 * glue.js: wasm-bindgen's glue as a function, imported by the host as "engine-glue", "search-glue" and so on.
 *
 * The glue keeps its instance in module variables, and its initSync() does nothing the second time, so a plain
 * import gives one instance a process for ever. Inside a function each call has variables of its own: a fresh
 * instance after a trap, and one for each project in the same process.
 */
async function writeGlue(name) {
  const esbuild = await import("esbuild");
  const { outputFiles } = await esbuild.build({
    entryPoints: [at(dirOf(name), `${name}.js`)],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "glue",
    target: "node20",
    // Only for the default path of the asynchronous init(), which nobody takes: the host passes the module.
    define: { "import.meta.url": '"file:///"' },
    logLevel: "warning",
  });
  const glue = fillFirst(encodeAtOnce(outputFiles[0].text)).replace('"use strict";\n', "");
  writeFileSync(
    at(dirOf(name), "glue.js"),
    `export function instantiate(queueMicrotask, fill) {\n${glue}return glue;\n}\n`,
  );
  writeFileSync(
    at(dirOf(name), "glue.d.ts"),
    `/**\n * A fresh, independent copy of the module's glue; call its initSync() before anything else.\n` +
      ` * Futures of the module run through \`queueMicrotask\`, so that a trap in one can be caught.\n` +
      ` * \`fill\` puts into memory what the module's file lacks.\n */\n` +
      `export declare function instantiate(\n  queueMicrotask: (task: () => void) => void,\n` +
      `  fill?: (memory: WebAssembly.Memory) => void,\n): typeof import("./${name}.js");\n`,
  );
}

async function buildPackage() {
  for (const needed of [...Object.values(ALL_ENTRIES), ...Object.values(DECLARATIONS), SCHEMA, "README.md"]) {
    if (!existsSync(at(needed))) throw new Stop(`${needed} is missing`);
  }
  rmSync(at("pkg"), { recursive: true, force: true });
  mkdirSync(at("pkg"));
  const shared = {
    outdir: at("pkg"),
    // names stay, for stack traces
    minifyWhitespace: true,
    minifySyntax: true,
  };
  const browser = await bundle({ ...shared, ...FOR_BROWSERS, entryPoints: entryPoints(BROWSER_ENTRIES) });
  checkBundle(browser.metafile);
  const { metafile } = await bundle({
    ...shared,
    entryPoints: entryPoints(ENTRIES),
    // Bun, which is OpenCode's runtime, takes such a file as it is; else it transpiles it, at each start when it is
    // smaller than 50 kB: 3 ms
    banner: { js: "// @bun" },
    plugins: [ALONE],
  });
  checkBundle(metafile);
  for (const module of MODULES) {
    ship(wasmOf(module), shippedAs(module), module.packed);
    for (const path of dataOf(module)) ship(path, dataShippedAs(module, path), module.dataPacked);
  }
  copyFileSync(at(SCHEMA), at("pkg/options.schema.json"));
  for (const name of ["LICENSE", "README.md"]) copyFileSync(at(name), at("pkg", name));
  writeFileSync(at("pkg/index.d.ts"), TYPES);
  for (const [name, path] of Object.entries(DECLARATIONS)) copyFileSync(at(path), at("pkg", name));
  writeFileSync(at("pkg/package.json"), `${JSON.stringify(manifest(), null, 2)}\n`);
  const bytes = filesBelow("pkg").reduce((sum, path) => sum + statSync(at(path)).size, 0);
  if (bytes > MAX_PACKAGE_BYTES)
    throw new Stop(`pkg/ holds ${bytes} bytes; the limit is ${MAX_PACKAGE_BYTES}`);
}

function ship(path, name, packed) {
  const bytes = readFileSync(at(path));
  const pack = PACKERS[packed];
  writeFileSync(at("pkg", name), pack ? pack(bytes) : bytes);
}

/** What index.js imports when it is called: a file of its own. */
const ALONE = {
  name: "alone",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/plugin\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

const entryPoints = (entries) => Object.entries(entries).map(([out, path]) => ({ out, in: at(path) }));

/** How everything in host/ is bundled: the package and its unit tests alike. */
export async function bundle(options) {
  const esbuild = await import("esbuild");
  const result = esbuild.build({
    bundle: true,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "node20",
    legalComments: "none",
    alias: GLUES,
    logLevel: "warning",
    ...options,
  });
  return result.catch((error) => {
    throw error.errors ? new Stop("esbuild could not bundle host/ (see above)") : error;
  });
}

/** The package has no dependencies, and OpenCode lends it none; and OpenCode calls every export as a plugin. */
function checkBundle(metafile) {
  for (const [path, file] of Object.entries(metafile.outputs)) {
    const others = file.imports.map((other) => other.path);
    const foreign = others.filter((other) => !isNodeBuiltin(other) && other !== "./plugin.js");
    if (foreign.length > 0) throw new Stop(`${path} imports what it can't have: ${foreign.join(", ")}`);
    if (file.entryPoint === ENTRIES.index && file.exports.join() !== "default") {
      throw new Stop(
        `host/index.ts must export its default and nothing else; it exports: ${file.exports.join(", ")}`,
      );
    }
  }
}

const isNodeBuiltin = (path) =>
  path.startsWith("node:") && builtinModules.includes(path.slice("node:".length));

function manifest() {
  const { name, version, description, license, engines } = JSON.parse(read("package.json"));
  return {
    name,
    version,
    description,
    license,
    type: "module",
    // OpenCode takes "./server"; a package with "." alone is silently not loaded.
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      "./server": "./index.js",
      "./code": { types: "./code.d.ts", default: "./code.js" },
      "./code/browser": { types: "./code-browser.d.ts", default: "./code-browser.js" },
    },
    main: "./index.js",
    types: "./index.d.ts",
    files: [
      ...Object.keys(ALL_ENTRIES).map((name) => `${name}.js`),
      ...["index.d.ts", ...Object.keys(DECLARATIONS), "options.schema.json"],
      ...MODULES.flatMap(shipped),
    ],
    engines,
  };
}

const TYPES = `/** The plugin, as OpenCode loads it. Options: see options.schema.json. */
declare const plugin: {
  id: string;
  server(input: unknown, options?: Record<string, unknown>): Promise<Record<string, unknown>>;
};
export default plugin;
`;

function checkVersions() {
  const { version } = JSON.parse(read("package.json"));
  const crate = /^version = "([^"]+)"/m.exec(read("Cargo.toml"))?.[1];
  if (version !== crate) throw new Stop(`package.json is version ${version}, Cargo.toml is ${crate}`);
}

function printSizes(folder) {
  let total = [0, 0, 0];
  const kb = (sizes) => sizes.map((bytes) => (bytes / 1000).toFixed(1).padStart(9)).join("");
  console.log(`${"kB".padEnd(24)}${["raw", "gzip", "brotli"].map((s) => s.padStart(9)).join("")}`);
  for (const path of filesBelow(folder)) {
    const bytes = readFileSync(at(path));
    const sizes = [bytes.length, gzipSync(bytes, { level: 9 }).length, brotli(bytes, 9).length];
    total = total.map((sum, i) => sum + sizes[i]);
    console.log(`${path.padEnd(24)}${kb(sizes)}`);
  }
  console.log(`${"total".padEnd(24)}${kb(total)}`);
}

/**
 * What each grammar adds, from the archive that its C compiler made: the code and data that are linked, so within some
 * percent of its part of the module. The largest are the newest where cargo keeps several.
 */
function printGrammars() {
  const folder = at("target/code/wasm32-unknown-unknown/release/build");
  const archives = new Map();
  for (const build of existsSync(folder) ? readdirSync(folder) : []) {
    const [, crate] = /^tree-sitter-(.+)-[0-9a-f]{16}$/.exec(build) ?? [];
    const out = `${folder}/${build}/out`;
    if (crate === undefined || crate === "language" || !existsSync(out)) continue;
    const made = readdirSync(out).filter((name) => name.endsWith(".a"));
    const time = statSync(out).mtimeMs;
    if (made.length > 0 && !(archives.get(crate)?.time > time)) {
      archives.set(crate, { time, paths: made.map((name) => `${out}/${name}`) });
    }
  }
  console.log(`${"grammar, kB".padEnd(24)}${["raw", "brotli"].map((s) => s.padStart(9)).join("")}`);
  for (const [crate, { paths }] of [...archives].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const linked = Buffer.concat(
      paths.flatMap((path) => objectsOf(readFileSync(path)).flatMap(linkedSections)),
    );
    const sizes = [linked.length, brotli(linked, 9).length];
    console.log(`${crate.padEnd(24)}${sizes.map((bytes) => (bytes / 1000).toFixed(1).padStart(9)).join("")}`);
  }
}

await runAsProgram(import.meta, (args) => build({ force: args.includes("--force") }));
