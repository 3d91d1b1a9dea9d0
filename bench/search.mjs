// Searches with the package's library against ripgrep, paired: each round runs every contender once, one after another,
// and what counts is the median of the rounds' ratios. Answers must agree.
// Usage: node bench/search.mjs [--rounds 7] [--trees small,middle,large] [--workers n] [--only cold,warm,...] [--fff folder]
// [--queries "rare literal,word"]
// (--fff: a folder where `npm install @ff-labs/fff-node @ff-labs/fff-bun` was run)
// In OpenCode's own runtime: BUN_BE_BUN=1 "$(node tools/opencode-bin.mjs)" bench/search.mjs …
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openTree } from "../pkg/code.js";

const flag = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const ROUNDS = Number(flag("rounds", 7));
const WORKERS = Number(flag("workers", 0));
/** In Bun, after threads that ended right after their first search, later ones stayed slow: each works on a while, as it would. */
const CLOSE_MS = 200;
const MEMORY_MB = Number(flag("memory", 256));
const TREES = flag("trees", "small,middle,large").split(",");
const ONLY = flag("only", "cold,warm,told,first,files,fff").split(",");

const QUERIES = {
  "rare literal": { pattern: "PM_RESUME" },
  "common literal": { pattern: "return" },
  identifier: { pattern: "read_to_string", word: true },
  definition: { pattern: "fn new\\(" },
  "fn \\w+\\(": { pattern: "fn \\w+\\(" },
  "ignore case": { pattern: "unsupported", ignore_case: true },
  "five alternatives": { pattern: "ERR_SYS|PME_TURN_OFF|LINK_REQ_RST|CFG_BME_EVT|zzz_none" },
  word: { pattern: "Error", word: true },
  "no match": { pattern: "zzz_no_match_zzz" },
  "no literal": { pattern: "\\w{5}\\s+\\w{5}\\s+\\w{5}\\s+\\w{5}\\s+\\w{5}" },
  "multi-line": { pattern: "\\{\\n\\s+return", multiline: true },
};

for (const name of Object.keys(QUERIES)) {
  if (!flag("queries", name).split(",").includes(name)) delete QUERIES[name];
}

function rgArgs({ pattern, word, ignore_case, multiline }) {
  // with -U, -c would count matches and not lines
  const flags = [word && "-w", ignore_case && "-i", ...(multiline ? ["-U", "-nH"] : ["-c"])];
  return ["--no-config", "--no-messages", ...flags.filter(Boolean), "-e", pattern, "."];
}

function timed(work) {
  const start = performance.now();
  const result = work();
  const end = (value) => ({ ms: performance.now() - start, value });
  return result instanceof Promise ? result.then(end) : end(result);
}

const rg = (root, args) =>
  timed(
    () =>
      spawnSync("rg", args, { cwd: root, stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 30 }).stdout,
  );

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const geometric = (list) => Math.exp(list.reduce((sum, x) => sum + Math.log(x), 0) / list.length);
const totalOf = (text) =>
  Number(/([\d,]+) matching lines? in [\d,]+ files?; /.exec(text)?.[1].replaceAll(",", "") ?? 0);
function rgTotal(stdout, { multiline }) {
  const lines = stdout.toString("latin1").split("\n").slice(0, -1);
  return multiline
    ? lines.length
    : lines.reduce((sum, line) => sum + Number(/:(\d+)$/.exec(line)?.[1] ?? 0), 0);
}

/** A tree that was never asked, with its threads up. */
async function coldTree(root, { watch = false } = {}) {
  const tree = openTree(root, { workers: WORKERS, memoryMb: MEMORY_MB, watch });
  await tree.findFiles({ path: "first-file" }).catch(() => undefined);
  return tree;
}

/** The trees: the crates of cargo's registry; of `large` several copies, linked. */
function trees() {
  const source = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/src");
  const registry = join(source, readdirSync(source)[0]);
  const made = join(flag("at", "/tmp"), "bench-search");
  const make = (name, crates, copies) => {
    const root = join(made, name);
    if (existsSync(root)) return root;
    mkdirSync(root, { recursive: true });
    for (let i = 0; i < copies; i++) {
      mkdirSync(join(root, `copy-${i}`));
      execFileSync("cp", ["-a", ...crates.map((crate) => join(registry, crate)), join(root, `copy-${i}`)]);
    }
    return root;
  };
  const crates = readdirSync(registry);
  return {
    small: () => make("small", crates.slice(0, 24), 1),
    middle: () => make("middle", crates, 1),
    large: () => make("large", crates, 6),
  };
}

async function compare(title, root, rows, other = "rg") {
  console.log(`\n${title}`);
  const medians = [];
  for (const [name, ours, theirs] of rows) {
    const [ratios, us, them] = [[], [], []];
    for (let round = 0; round < ROUNDS; round++) {
      const b = theirs();
      const a = await ours();
      ratios.push(a.ms / b.ms);
      us.push(a.ms);
      them.push(b.ms);
      a.check?.(b.value);
    }
    medians.push(median(ratios));
    console.log(
      `  ${name.padEnd(20)} ${median(ratios).toFixed(2).padStart(6)}   ${median(us).toFixed(1).padStart(8)} ms   ${other} ${median(them).toFixed(1).padStart(8)} ms`,
    );
  }
  console.log(
    `  ${"geometric mean".padEnd(20)} ${geometric(medians).toFixed(2).padStart(6)}   worst ${Math.max(...medians).toFixed(2)}`,
  );
}

const counted = (query) => ({ ...query, mode: "count", limit: 1 });
const differing = new Set();
function checked(name, query, result, stdout) {
  const [ours, theirs] = [totalOf(result.value), rgTotal(stdout, query)];
  if (ours === theirs || differing.has(name)) return;
  differing.add(name);
  console.log(`  DIFFERS: ${name}: ${ours} lines, rg has ${theirs}`);
}

/** fff's index of the same tree, when it is installed in the folder that --fff names. */
async function fffOf(root) {
  const folder = flag("fff");
  if (!folder) return undefined;
  const name = process.versions.bun ? "fff-bun" : "fff-node";
  const path = join(folder, "node_modules/@ff-labs", name);
  const { exports, main } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const entry = exports?.["."]?.import ?? exports?.["."]?.default ?? exports?.["."] ?? main;
  const { FileFinder } = await import(join(path, typeof entry === "string" ? entry : entry.default));
  const made = FileFinder.create({ basePath: root, aiMode: true });
  if (!made.ok) throw new Error(made.error);
  await made.value.waitForScan(120_000);
  return made.value;
}

const LIMIT = 100;
/** The same query for fff. */
function fffSearch(fff, { pattern, word, ignore_case }) {
  const regex = `${ignore_case ? "(?i)" : ""}${word ? `\\b(?:${pattern})\\b` : pattern}`;
  const isPlain = regex === pattern && /^\w+$/.test(pattern);
  const found = fff.grep(regex, { mode: isPlain ? "plain" : "regex", pageSize: LIMIT, smartCase: false });
  if (!found.ok) throw new Error(found.error);
  return found.value.items.length;
}

console.log(
  `${process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.version}`}, ${ROUNDS} rounds, workers ${WORKERS || "auto"}`,
);
for (const size of TREES) {
  const root = trees()[size]();
  const count =
    spawnSync("rg", ["--files"], { cwd: root, maxBuffer: 1 << 30 })
      .stdout.toString()
      .split("\n").length - 1;
  const queries = Object.entries(QUERIES);
  if (ONLY.includes("cold")) {
    const rows = queries.map(([name, query]) => [
      name,
      async () => {
        const tree = await coldTree(root);
        const result = await timed(() => tree.search(counted(query)));
        await pause(CLOSE_MS);
        await tree.close();
        return { ...result, check: (stdout) => checked(name, query, result, stdout) };
      },
      () => rg(root, ["-j1", ...rgArgs(query)]),
    ]);
    await compare(`${count} files: cold ÷ rg -j1`, root, rows);
  }
  if (ONLY.includes("first")) {
    const rows = queries
      .filter(([name]) => ["common literal", "fn \\w+\\(", "word"].includes(name))
      .map(([name, query]) => [
        name,
        async () => {
          const cold = await coldTree(root, { watch: true });
          const result = await timed(() => cold.search({ ...query, limit: 100 }));
          await pause(CLOSE_MS);
          await cold.close();
          return result;
        },
        () => rg(root, rgArgs(query)),
      ]);
    await compare(`${count} files: first 100 matches, cold ÷ rg`, root, rows);
  }
  const fff = ONLY.includes("fff") && (await fffOf(root));
  for (const [mode, how] of [
    ["warm", "validated by stat"],
    ["told", "changes told"],
  ]) {
    if (!ONLY.includes(mode)) continue;
    const tree = await coldTree(root, { watch: mode === "told" });
    await tree.search(counted({ pattern: "zzz" }));
    const { ms, value } = await timed(() => tree.index());
    console.log(
      `\n${count} files: index of ${(value / 1e6).toFixed(1)} MB built in ${ms.toFixed(0)} ms; memory ${(tree.memoryBytes / 1e6).toFixed(0)} MB`,
    );
    const rows = queries.map(([name, query]) => [
      name,
      async () => {
        const result = await timed(() => tree.search(counted(query)));
        return { ...result, check: (stdout) => checked(name, query, result, stdout) };
      },
      () => rg(root, rgArgs(query)),
    ]);
    await compare(`${count} files: warm, ${how} ÷ rg`, root, rows);
    if (ONLY.includes("files")) {
      const rows = ["*.rs", "**/*.{toml,md}", "**/tests/**"].map((glob) => [
        glob,
        () => timed(() => tree.findFiles({ glob })),
        () => rg(root, ["--no-config", "--files", "-g", glob]),
      ]);
      await compare(`${count} files: find_files, ${how} ÷ rg --files -g`, root, rows);
    }
    if (fff) {
      const rows = queries
        .filter(([, query]) => !query.multiline)
        .map(([name, query]) => [
          name,
          () => timed(() => tree.search({ ...query, limit: LIMIT })),
          () => timed(() => fffSearch(fff, query)),
        ]);
      await compare(`${count} files: first ${LIMIT} matches, ${how} ÷ fff`, root, rows, "fff");
    }
    console.log(`memory ${(tree.memoryBytes / 1e6).toFixed(0)} MB`);
    await tree.close();
  }
  if (fff) fff.destroy();
}
