// The parsing tools against those that do the same: the same files, the same patterns, in one process, in turns. What counts
// is the median of the rounds' ratios (ours / theirs); files that do not parse are measured apart.
// Usage: node bench/syntax.mjs <folder> [--mb 20] [--rounds 5] [--sources <folder>,…] [--only typescript,rust,python]
// The folder has the rivals in its node_modules: @ast-grep/napi with @ast-grep/lang-rust and @ast-grep/lang-python (native),
// @ast-grep/wasm, web-tree-sitter and @vscode/tree-sitter-wasm. `--sources`: more places with files, of any of the languages.
// Of all files so many are taken, evenly, that they have `--mb` megabytes; a text that is there twice counts once.
// In OpenCode's own runtime: BUN_BE_BUN=1 "$(node tools/opencode-bin.mjs)" run bench/syntax.mjs …
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { library, scratch, sources } from "../tests/code/syntax/lib.mjs";
import { openTree } from "../pkg/code.js";

const flag = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const FOLDER = resolve(process.argv[2] ?? ".");
const MAX_BYTES = Number(flag("mb", 20)) * 1e6;
const ROUNDS = Number(flag("rounds", 5));
const PLACES = flag("sources", "").split(",").filter(Boolean);
/** A file's ending, a rare pattern, a common one, and the same as a query. */
const LANGUAGES = {
  typescript: [
    ...[".ts", "type $N = keyof $T", "interface $N { $$$B }"],
    "(interface_declaration !type_parameters . (type_identifier) . (interface_body)) @found",
  ],
  rust: [
    ...[".rs", "$A.unwrap_or_default()", "$A.unwrap()"],
    '(call_expression function: (field_expression field: (_) @name) arguments: (arguments) @none (#eq? @name "unwrap") (#eq? @none "()")) @found',
  ],
  python: [
    ...[".py", "$A.setdefault($B, $C)", "self.$A = $B"],
    '(assignment left: (attribute object: (identifier) @name (#eq? @name "self")) !type) @found',
  ],
};
/** The outline is measured on the file whose length is nearest to this, of those that define something. Bytes. */
const OUTLINED = 820_000;
/** A file that defines something has a definition for so many bytes. One without is all data, and told of apart. */
const BYTES_PER_DEFINITION = 10_000;
/** What another contender left behind is freed before the next is measured: native trees are, in turns. */
const SETTLE_MS = 700;
const WARM_UP = 5;
/** `@ast-grep/wasm` is given so many bytes. */
const KEPT_BYTES = 2_000_000;
const ONLY = flag("only", Object.keys(LANGUAGES).join()).split(",");

const require = createRequire(join(FOLDER, "x.js"));
const native = require("@ast-grep/napi");
native.registerDynamicLanguage({
  rust: require("@ast-grep/lang-rust"),
  python: require("@ast-grep/lang-python"),
});
const nativeName = (language) => (language === "typescript" ? native.Lang.TypeScript : language);

const grammarOf = (language) => require.resolve(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${language}.wasm`);

/** web-tree-sitter by language: its parser, the common pattern as a query, and the query of the grammar's own tags. */
async function webTreeSitter() {
  const { Parser, Language, Query } = await import(pathToFileURL(require.resolve("web-tree-sitter")).href);
  await Parser.init();
  const made = {};
  for (const language of ONLY) {
    const parser = new Parser();
    const grammar = await Language.load(grammarOf(language));
    parser.setLanguage(grammar);
    const query = new Query(grammar, LANGUAGES[language][3]);
    made[language] = { parser, query, tags: new Query(grammar, tagsOf(language)) };
  }
  return made;
}

/** The tags query that comes with a grammar's crate. */
function tagsOf(language) {
  const registry = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src");
  const crates = join(registry, readdirSync(registry)[0]);
  const of = (name) =>
    readdirSync(crates).find((crate) => new RegExp(`^tree-sitter-${name}-\\d`).test(crate));
  const tags = (name) => readFileSync(join(crates, of(name), "queries/tags.scm"), "utf8");
  // a query of their documentation's comments, which web-tree-sitter has no use for
  const text = language === "typescript" ? tags("javascript") + tags("typescript") : tags(language);
  return text.replaceAll(/\(#(strip|select-adjacent|set-adjacent)![^)]*\)/g, "");
}

/** `@ast-grep/wasm`, with the same grammars. */
async function astGrepWasm() {
  // it is made for bundlers: its main file imports the module itself, which Node can't
  const folder = join(FOLDER, "node_modules/@ast-grep/wasm");
  const glue = "./wasm_bg.js";
  const astGrep = await import(pathToFileURL(join(folder, glue)).href);
  const { instance } = await WebAssembly.instantiate(readFileSync(join(folder, "wasm_bg.wasm")), {
    [glue]: astGrep,
  });
  astGrep.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  await astGrep.initializeTreeSitter();
  const expando = { rust: "µ", python: "µ" };
  const of = (language) => ({ libraryPath: grammarOf(language), expandoChar: expando[language] });
  await astGrep.registerDynamicLanguage(Object.fromEntries(ONLY.map((language) => [language, of(language)])));
  return astGrep;
}

/** All files with an extension, each text once. */
function differentSources(extension) {
  const texts = new Map();
  for (const file of sources(extension, Infinity, { most: 2_000_000, places: PLACES })) {
    if (!texts.has(file.text)) texts.set(file.text, file);
  }
  return [...texts.values()];
}

/** So many of them, evenly, that they have [`MAX_BYTES`]; all if they have less. */
function someOf(files) {
  const all = files.reduce((sum, { text }) => sum + text.length, 0);
  const share = MAX_BYTES / all;
  let [seen, taken] = [0, 0];
  return files.filter(({ text }) => {
    seen += text.length;
    const isTaken = taken + text.length / 2 <= seen * share;
    if (isTaken) taken += text.length;
    return isTaken;
  });
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
async function timed(run) {
  const start = performance.now();
  const result = await run();
  return { ms: performance.now() - start, result };
}

/** Runs the contenders in turns; prints the medians, and the ratio of the first to each of the others. */
async function race(name, contenders) {
  const times = contenders.map(() => []);
  const results = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, run, prepare]] of contenders.entries()) {
      await prepare?.();
      await pause(SETTLE_MS);
      const { ms, result } = await timed(run);
      times[i].push(ms);
      results[i] = result;
    }
  }
  const [ours] = times;
  const shown = contenders.slice(1).map(([other], i) => {
    const ratio = median(times[i + 1].map((ms, round) => ours[round] / ms));
    return `÷ ${other} ${ratio.toFixed(3)} (${median(times[i + 1]).toFixed(0)} ms, ${results[i + 1]})`;
  });
  console.log(`  ${name}: ${median(ours).toFixed(1)} ms (${results[0]}) ${shown.join(", ")}`);
}

/** An outline made with web-tree-sitter: a line for each definition. Gives how many. */
function written(tree, tags) {
  const lines = [];
  for (const { captures } of tags.matches(tree.rootNode)) {
    const defined = captures.find(({ name }) => name.startsWith("definition."));
    const name = captures.find(({ name }) => name === "name");
    if (!defined || !name) continue;
    const { startPosition, endPosition } = defined.node;
    lines.push(`${startPosition.row + 1}-${endPosition.row + 1} ${defined.name} ${name.node.text}`);
  }
  tree.delete();
  return lines.join("\n").split("\n").length;
}

const it = await library();
const web = await webTreeSitter();
const wasm = await astGrepWasm();

for (const language of ONLY) {
  const [extension, rare, common] = LANGUAGES[language];
  const { parser, query } = web[language];
  /** What web-tree-sitter finds in a text. */
  const queried = (query) => (text) => {
    const tree = parser.parse(text);
    const { length } = query.matches(tree.rootNode);
    tree.delete();
    return length;
  };
  const lang = nativeName(language);
  const files = differentSources(extension);
  const texts = someOf(files);
  const isBroken = new Set(texts.filter(({ text }) => it(language).hasErrors(language, text)));
  for (const [kind, chosen] of [
    ["sound", texts.filter((text) => !isBroken.has(text))],
    ["broken", [...isBroken]],
  ]) {
    if (chosen.length === 0) continue;
    const size = chosen.reduce((sum, { text }) => sum + text.length, 0);
    console.log(`${language}: ${chosen.length} ${kind} files, ${(size / 1e6).toFixed(1)} MB`);
    const dir = join(scratch("bench"), `${language}-${kind}`);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const paths = chosen.map(({ text }, n) => {
      const path = join(dir, `${n}${extension}`);
      writeFileSync(path, text);
      return path;
    });
    const theirs = (pattern) => () =>
      paths.reduce(
        (n, path) => n + native.parse(lang, readFileSync(path, "utf8")).root().findAll(pattern).length,
        0,
      );
    const search = async (tree, pattern) =>
      /^[^.]*/.exec(await tree.astSearch({ pattern, language, limit: 1000 }))[0];
    let tree;
    const fresh = async () => {
      await tree?.close();
      tree = openTree(dir);
      await tree.astSearch({ pattern: "no_such_name", language, path: `0${extension}` });
    };
    await race("prefiltered, cold", [
      ["ours", () => search(tree, rare), fresh],
      ["@ast-grep/napi", theirs(rare)],
    ]);
    await race("prefiltered, warm", [
      ["ours", () => search(tree, rare)],
      ["@ast-grep/napi", theirs(rare)],
    ]);
    await tree.close();
    const inMemory = (find) => () => chosen.reduce((n, { text }) => n + find(text), 0);
    await race("every file parsed and searched", [
      ["ours", inMemory((text) => it(language).find(language, common, text).length / 2)],
      ["@ast-grep/napi", inMemory((text) => native.parse(lang, text).root().findAll(common).length)],
      ["web-tree-sitter", inMemory(queried(query))],
    ]);
    // it keeps what it parsed: more than some files fill the memory
    let left = KEPT_BYTES;
    const some = chosen.filter(({ text }) => (left -= text.length) > 0);
    const inSome = (find) => () => some.reduce((n, { text }) => n + find(text), 0);
    await race(`the first ${some.length} of them`, [
      ["ours", inSome((text) => it(language).find(language, common, text).length / 2)],
      ["@ast-grep/wasm", inSome((text) => wasm.parse(language, text).root().findAll(common).length)],
    ]);
    await race("parsed alone", [
      ["ours", inMemory((text) => Number(it(language).hasErrors(language, text)))],
      ["@ast-grep/napi", inMemory((text) => Number(native.parse(lang, text).root().range().start.line < 0))],
      [
        "web-tree-sitter",
        inMemory((text) => {
          const tree = parser.parse(text);
          const found = Number(tree.rootNode.hasError);
          tree.delete();
          return found;
        }),
      ],
    ]);
  }
  const definesSomething = ({ text }) =>
    JSON.parse(it(language).definitions(language, text)).length * BYTES_PER_DEFINITION > text.length;
  const distance = ({ text }) => Math.abs(text.length - OUTLINED);
  const byDistance = files.toSorted((a, b) => distance(a) - distance(b));
  const outlined = new Set([byDistance[0], byDistance.find(definesSomething) ?? byDistance[0]]);
  for (const { text } of outlined) await raceOutlines(language, text, web[language]);
}

/** The outline of a file that was never seen, in a worker whose code is as warm as the other's. */
async function raceOutlines(language, text, { parser, tags }) {
  const [extension] = LANGUAGES[language];
  const dir = join(scratch("bench"), `${language}-outline`);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const tree = openTree(dir);
  let copies = 0;
  const path = () => `${copies}${extension}`;
  const copy = () => writeFileSync(join(dir, `${++copies}${extension}`), text);
  const outlined = async () => (await tree.outline({ path: path() })).split("\n").length;
  for (let round = 0; round < WARM_UP; round++) {
    copy();
    await outlined();
    written(parser.parse(text), tags);
  }
  await race(`outline of ${text.length} bytes`, [
    ["ours", outlined, copy],
    ["web-tree-sitter", () => written(parser.parse(readFileSync(join(dir, path()), "utf8")), tags)],
  ]);
  await tree.close();
}

// an edit in a file of 5,000 to 7,000 lines, parsed from the tree before
for (const language of ONLY) {
  const [extension] = LANGUAGES[language];
  const isLong = ({ text }) => Math.abs(text.split("\n").length - 6_000) <= 1_000;
  const long = sources(extension, 20_000, { least: 50_000, most: 2_000_000, places: PLACES }).find(
    (file) => isLong(file) && !it(language).hasErrors(language, file.text),
  );
  if (!long) continue;
  const { text } = long;
  const edits = [];
  for (let n = 1; n <= 41; n++) {
    const line = text.indexOf("\n", (text.length * n) / 43);
    const edited = `${text.slice(0, line)} ${text.slice(line)}`;
    it(language).diagnostics("edited", language, text);
    edits.push((await timed(() => it(language).diagnostics("edited", language, edited))).ms);
  }
  console.log(
    `${language}: diagnostics after an edit, ${text.split("\n").length} lines, ${text.length} bytes: median ${median(edits).toFixed(2)} ms, least ${Math.min(...edits).toFixed(2)}`,
  );
}
