// The parsing module against @ast-grep/napi, which is native: the same files, the same patterns, in one process, in turns.
// Usage: node bench/syntax.mjs <folder that has @ast-grep/napi in node_modules>   (or with OpenCode's runtime:
// BUN_BE_BUN=1 opencode bench/syntax.mjs …). Prints milliseconds (median) and the ratio to native.
import { createRequire } from "node:module";
import { join } from "node:path";
import { library, sources } from "../tests/code/syntax/lib.mjs";

const [folder = "."] = process.argv.slice(2);
const napi = createRequire(join(folder, "x.js"))("@ast-grep/napi");
const ROUNDS = 5;
const MAX_BYTES = 20_000_000;

const it = await library();
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const timed = (run) => {
  const start = performance.now();
  const result = run();
  return [performance.now() - start, result];
};

for (const [language, extension, lang, rare, common] of [
  ["javascript", ".js", napi.Lang.JavaScript, "Object.getOwnPropertyDescriptors($A)", "$A === $B"],
  ["typescript", ".ts", napi.Lang.TypeScript, "type $N = keyof $T", "interface $N { $$$B }"],
]) {
  let bytes = 0;
  const texts = sources(extension, 20_000, { most: 2_000_000 }).filter(
    ({ text }) => (bytes += text.length) <= MAX_BYTES,
  );
  // files with errors are measured apart
  const sound = texts.filter(({ text }) => !it(language).hasErrors(language, text)).map(({ text }) => text);
  const size = sound.reduce((sum, text) => sum + text.length, 0);
  console.log(
    `${language}: ${sound.length} sound files, ${(size / 1e6).toFixed(1)} MB; ${texts.length - sound.length} with errors left out`,
  );
  const ours = (pattern) => () =>
    sound.reduce((n, text) => n + it(language).find(language, pattern, text).length / 2, 0);
  const theirs = (pattern) => () =>
    sound.reduce((n, text) => n + napi.parse(lang, text).root().findAll(pattern).length, 0);
  for (const [name, pattern] of [
    ["rare, with the prefilter", rare],
    ["common, every file parsed", common],
  ]) {
    const [a, b] = [[], []];
    let counts;
    for (let round = 0; round < ROUNDS; round++) {
      const [mine, found] = timed(ours(pattern));
      const [other, wanted] = timed(theirs(pattern));
      a.push(mine);
      b.push(other);
      counts = `${found} and ${wanted} matches`;
    }
    console.log(
      `  ${name}: ${median(a).toFixed(0)} ms, native ${median(b).toFixed(0)} ms, ratio ${(median(a) / median(b)).toFixed(2)} (${counts})`,
    );
  }
}

// an edit in a file of 5,000 lines, parsed from the tree before
const text = Array.from(
  { length: 5_000 },
  (_, n) => `export function f${n}(a: number) { return a * ${n} + g(a, "x${n}"); }\n`,
).join("");
const edits = [];
for (let n = 0; n < 21; n++) {
  const at = text.indexOf(" return", 100_000 + n * 1_000);
  const edited = `${text.slice(0, at)} ${text.slice(at)}`;
  it("typescript").diagnostics("edited.ts", "typescript", text);
  edits.push(timed(() => it("typescript").diagnostics("edited.ts", "typescript", edited))[0]);
}
console.log(`diagnostics after an edit, 5,000 lines, ${text.length} bytes: ${median(edits).toFixed(2)} ms`);
