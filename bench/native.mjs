// Parsing in the module against tree-sitter compiled for this machine: the same crates, optimised alike, over the same files,
// in turns. What counts is the median of the rounds' ratios.
// Usage: node bench/native.mjs [--mb 4] [--rounds 5] [--sources <folder>,…] [--opt 3]
// `--sources`: more places with files in TypeScript; `--opt`: how all of the native program is optimised instead.
// In OpenCode's own runtime: BUN_BE_BUN=1 "$(node tools/opencode-bin.mjs)" run bench/native.mjs …
import { execFileSync } from "node:child_process";
import { library, sources } from "../tests/code/syntax/lib.mjs";
import { optLevelArgs, SMALLEST } from "../tools/build.mjs";
import { at } from "../tools/lib.mjs";

const flag = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const MAX_BYTES = Number(flag("mb", 4)) * 1e6;
const ROUNDS = Number(flag("rounds", 5));
const PLACES = flag("sources", "").split(",").filter(Boolean);
const OPT = flag("opt");
/** Rounds before those that count. */
const WARM_UP = 2;
/** A command line takes no more. */
const MAX_FILES = 2_000;

const LEVELS = OPT ? { default: Number(OPT) || OPT } : SMALLEST;
const BUILD = ["--release", "--quiet", "--example", "parse", "--no-default-features"];
// with the compiler that the modules' C code is compiled with
const env = { ...process.env, CC: "clang", CARGO_TARGET_DIR: at("target", "native") };
const cargo = [...BUILD, "--features", "syntax-test", ...optLevelArgs(LEVELS)];
execFileSync("cargo", ["build", ...cargo], { cwd: at(), env, stdio: "inherit" });
const program = at("target/native/release/examples/parse");

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const it = await library();
for (const [language, extension] of [
  ["typescript", ".ts"],
  ["rust", ".rs"],
  ["python", ".py"],
]) {
  let bytes = 0;
  const texts = sources(extension, MAX_FILES, { most: 400_000, places: PLACES }).filter(
    ({ text }) => (bytes += text.length) <= MAX_BYTES,
  );
  const paths = texts.map(({ path }) => path);
  const natively = () =>
    execFileSync(program, [language, "2", ...paths], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number)[1];
  const ours = () => {
    const start = performance.now();
    for (const { text } of texts) it(language).hasErrors(language, text);
    return performance.now() - start;
  };
  for (let round = 0; round < WARM_UP; round++) ours();
  const rounds = Array.from({ length: ROUNDS }, () => [ours(), natively()]);
  const size = texts.reduce((sum, { text }) => sum + text.length, 0);
  const [mine, theirs, ratio] = [([a]) => a, ([, b]) => b, ([a, b]) => a / b].map((of) =>
    median(rounds.map(of)),
  );
  console.log(
    `${language}: ${texts.length} files, ${(size / 1e6).toFixed(1)} MB: ${mine.toFixed(0)} ms ÷ native ${ratio.toFixed(2)} (${theirs.toFixed(0)} ms)`,
  );
}
