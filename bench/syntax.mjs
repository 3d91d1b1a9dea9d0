// The parsing tools against those that do the same: the same files, the same patterns, in one process, in turns. What counts
// is the median of the rounds' ratios (ours / theirs); files that do not parse are measured apart.
// Usage: node bench/syntax.mjs <folder> [--mb 20] [--rounds 5] [--sources <folder>,…] [--only typescript,rust,python]
// The folder has the rivals in its node_modules: @ast-grep/napi with @ast-grep/lang-rust and @ast-grep/lang-python (native),
// @ast-grep/wasm, web-tree-sitter and @vscode/tree-sitter-wasm. `--sources`: more places with files in TypeScript.
// In OpenCode's own runtime: BUN_BE_BUN=1 "$(node tools/opencode-bin.mjs)" run bench/syntax.mjs …
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
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
const LANGUAGES = {
  typescript: [".ts", "type $N = keyof $T", "interface $N { $$$B }"],
  rust: [".rs", "$A.unwrap_or_default()", "$A.unwrap()"],
  python: [".py", "$A.setdefault($B, $C)", "self.$A = $B"],
};
const ONLY = flag("only", Object.keys(LANGUAGES).join()).split(",");

const require = createRequire(join(FOLDER, "x.js"));
const native = require("@ast-grep/napi");
native.registerDynamicLanguage({
  rust: require("@ast-grep/lang-rust"),
  python: require("@ast-grep/lang-python"),
});
const nativeName = (language) => (language === "typescript" ? native.Lang.TypeScript : language);

const grammarOf = (language) => require.resolve(`@vscode/tree-sitter-wasm/wasm/tree-sitter-${language}.wasm`);

/** web-tree-sitter's parsers, by language. */
async function webTreeSitter() {
  const { Parser, Language } = await import(pathToFileURL(require.resolve("web-tree-sitter")).href);
  await Parser.init();
  const parsers = {};
  for (const language of ONLY) {
    parsers[language] = new Parser();
    parsers[language].setLanguage(await Language.load(grammarOf(language)));
  }
  return parsers;
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

const it = await library();
const parsers = await webTreeSitter();

for (const language of ONLY) {
  const [extension, rare, common] = LANGUAGES[language];
  const lang = nativeName(language);
  let bytes = 0;
  const texts = sources(extension, 20_000, { most: 2_000_000, places: PLACES }).filter(
    ({ text }) => (bytes += text.length) <= MAX_BYTES,
  );
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
    ]);
    await race("parsed alone", [
      ["ours", inMemory((text) => Number(it(language).hasErrors(language, text)))],
      ["@ast-grep/napi", inMemory((text) => Number(native.parse(lang, text).root().range().start.line < 0))],
      [
        "web-tree-sitter",
        inMemory((text) => {
          const tree = parsers[language].parse(text);
          const found = Number(tree.rootNode.hasError);
          tree.delete();
          return found;
        }),
      ],
    ]);
  }
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
