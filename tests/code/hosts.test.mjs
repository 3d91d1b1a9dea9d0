// Hosts that have less than Node, and what happens when the module fails or memory is short.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { LocalInstance } from "../../pkg/code-worker.js";
import { openTree } from "../../pkg/code.js";
import { opencodeBin } from "../../tools/opencode-bin.mjs";
import { freshFolder, write } from "./trees.mjs";

const root = freshFolder("hosts");
after(() => rmSync(root, { recursive: true, force: true }));
write(
  root,
  Array.from({ length: 300 }, (_, i) => [
    `src/${i % 7}/${i}.txt`,
    `a line\nneedle ${i}\n${"filler ".repeat(2000)}\n`,
  ]),
);
write(root, [["src/calls.js", "const a = twice(1);\ntwice(\n  a,\n);\n"]]);
const LIBRARY = new URL("../../pkg/code.js", import.meta.url).href;

/** What a program prints that runs with Node's `options`; it is given `openTree` and `root`. */
function run(options, program) {
  const code = `const { openTree } = await import(${JSON.stringify(LIBRARY)}); const root = ${JSON.stringify(root)};\n${program}`;
  const args = ["--no-warnings", ...options, "--input-type=module", "--eval", code];
  return execFileSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
}

/** The same in OpenCode's own runtime, with more of an environment. */
function runInBun(env, program) {
  const path = join(root, "..", `program-${process.pid}.mjs`);
  const head = `import { openTree } from ${JSON.stringify(LIBRARY)};\nconst root = ${JSON.stringify(root)};`;
  writeFileSync(path, `${head}\n${program}`);
  try {
    const all = { ...process.env, ...env, BUN_BE_BUN: "1" };
    return execFileSync(opencodeBin(), ["run", path], { encoding: "utf8", env: all, timeout: 120_000 });
  } finally {
    rmSync(path);
  }
}

const CALL = { pattern: "twice($A)", language: "javascript" };
/** A function that uses a vector instruction. */
const VECTORS = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
];

/** Node's permissions without that for workers: starting one throws. */
const NO_THREADS = [
  process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission",
  "--allow-fs-read=*",
];

test("without worker threads the same answers come in place, others get their turn, and aborts are heard", async () => {
  const tree = openTree(root);
  const args = { pattern: "needle \\d*7", limit: 1000 };
  const threaded = await tree.search(args);
  await tree.close();
  const printed = run(
    NO_THREADS,
    `
    import { Worker } from "node:worker_threads";
    let threads = "threads";
    try { new Worker("", { eval: true }); } catch { threads = "no threads"; }
    const tree = openTree(root);
    const args = ${JSON.stringify(args)};
    await tree.search(args);
    let turns = 0, isDone = false;
    const count = () => { turns++; if (!isDone) setImmediate(count); };
    setImmediate(count);
    const answers = await Promise.all([tree.search(args), tree.search(args), tree.search(args)]);
    isDone = true;
    const abort = new AbortController();
    const aborted = tree.search({ pattern: "(\\\\w+ )+x" }, abort.signal).then(String, (error) => error.message);
    setImmediate(() => abort.abort());
    console.log(JSON.stringify({ threads, turns, answers, aborted: await aborted, after: await tree.search(args) }));
    await tree.close();`,
  );
  const { threads, turns, answers, aborted, after } = JSON.parse(printed);
  assert.equal(threads, "no threads");
  assert.deepEqual([...answers, after], [threaded, threaded, threaded, threaded]);
  assert.ok(turns > 1, `${turns} turns`);
  assert.equal(aborted, "Aborted.");
});

test("without vector instructions, as on processors without AVX in Bun, the plain build gives the same answers", async () => {
  const args = { pattern: "needle \\d*7|LINE", ignore_case: true, limit: 1000 };
  const tree = openTree(root);
  const found = { search: await tree.search(args), ast: await tree.astSearch(CALL), vectors: true };
  await tree.close();
  const program = `
    const tree = openTree(root);
    const search = await tree.search(${JSON.stringify(args)}), ast = await tree.astSearch(${JSON.stringify(CALL)});
    const vectors = WebAssembly.validate(Uint8Array.of(${VECTORS}));
    console.log(JSON.stringify({ search, ast, vectors }));
    await tree.close();`;
  const hasAny = process.arch !== "x64"; // elsewhere they can't be switched off in Node
  const inNode = run(["--no-enable-ssse3", "--no-enable-sse4-1"], program);
  assert.deepEqual(JSON.parse(inNode), { ...found, vectors: hasAny });
  const inBun = runInBun({ BUN_JSC_useWasmSIMD: "0" }, program);
  assert.deepEqual(JSON.parse(inBun), { ...found, vectors: false });
});

/** The answer to a request on an instance. */
function ask(instance, args) {
  const steps = instance.serve({ method: "code_search", args: JSON.stringify(args), index: 0, of: 1 });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Files in memory, all called by number; `failing` ones end the instance as a trap does: without a word to it. */
function files(failing) {
  const trap = (path) => {
    if (failing.has(path)) throw new WebAssembly.RuntimeError("unreachable");
  };
  const stat = () => ({ kind: 0, size: 7, modified: failing.changed ?? 1, changed: 1, inode: 1, names: 1 });
  return {
    list(path) {
      trap(path);
      return path === "" ? "f1/f2/f3/" : "!-1";
    },
    stat(paths, _, into) {
      const states = paths
        .split("\0")
        .filter((path) => path !== "/")
        .map((name) => (name === "" ? [1, 0, 1, 1, 1, 1] : Object.values(stat())));
      into.set(states.flat());
    },
    read(path, _, offset, into) {
      trap(path);
      const text = Buffer.from(`word ${path}\n`).subarray(offset);
      into.set(text);
      return text.length;
    },
    real: (path) => path,
    linkedExclude: () => undefined,
    surroundings: () => "{}",
    root: () => "",
    now: () => 10_000,
    watch: () => 1,
    watcher: {
      unwatch: () => undefined,
      limit: () => 1000,
      changes: () => (trap("changes"), ""),
      settle: () => undefined,
      close: () => (failing.closed = (failing.closed ?? 0) + 1),
    },
  };
}

test("a file at which the instance traps is left out until it changes; the rest is searched, and the answer says so", () => {
  const failing = new Set();
  const instance = new LocalInstance(
    { artefact: "search", root: ".", options: null, cores: 1 },
    files(failing),
  );
  const whole = ask(instance, { pattern: "word" });
  assert.match(whole.text, /^1\n1: word 1\n\n2\n1: word 2\n\n3\n/);
  failing.add("2");
  const rest = ask(instance, { pattern: "word" });
  assert.ok(rest.ok, rest.text);
  assert.match(rest.text, /^1\n1: word 1\n\n3\n1: word 3\n\n.*Skipped: 1 unreadable \(2\)/s);
  failing.clear();
  assert.equal(ask(instance, { pattern: "word" }).text, rest.text, "it did not change");
  failing.changed = 2;
  assert.deepEqual(ask(instance, { pattern: "word" }), whole);
});

test("an instance that takes another's place is told of nothing: what is watched for that is not watched any more", () => {
  const failing = new Set();
  const settings = { artefact: "search", root: ".", options: null, cores: 1 };
  const instance = new LocalInstance(settings, files(failing));
  const whole = ask(instance, { pattern: "word" });
  while (instance.idle());
  for (const path of ["", "1", "2", "3"]) failing.add(path);
  assert.deepEqual(ask(instance, { pattern: "word" }), whole, "nothing is told, so nothing is looked at");
  failing.clear();
  failing.add("changes");
  const { closed } = failing;
  assert.deepEqual(
    ask(instance, { pattern: "word" }),
    whole,
    "another one does it, which does not ask for changes",
  );
  assert.equal(failing.closed, closed + 1);
});

test("traps at no file end one request with a clear line; the next ones are answered by a fresh instance", () => {
  const failing = new Set();
  const instance = new LocalInstance(
    { artefact: "search", root: ".", options: null, cores: 1 },
    files(failing),
  );
  const whole = ask(instance, { pattern: "word" });
  failing.add("");
  for (let i = 0; i < 50; i++) {
    const failed = ask(instance, { pattern: "word" });
    assert.equal(failed.ok, false);
    assert.match(
      failed.text,
      /^The code module failed 2 times at this request \(unreachable\) and was started anew\./,
    );
    assert.doesNotThrow(() => instance.idle());
  }
  failing.clear();
  assert.deepEqual(ask(instance, { pattern: "word" }), whole);
});

for (const memoryMb of [32, 128]) {
  test(`${memoryMb} MB are all that is taken, whatever is asked of however much`, async () => {
    const big = freshFolder(`memory-${memoryMb}`);
    try {
      const line = "words that differ from line to line: ";
      const lines = (seed) =>
        Array.from({ length: 20_000 }, (_, i) => `${line}${((i + seed) * 7919).toString(36)}`).join("\n");
      write(
        big,
        Array.from({ length: 160 }, (_, i) => [`${i % 9}/${i}.txt`, lines(i)]),
      );
      write(big, [["one/line.txt", `${line.repeat(800_000)}needle`]]);
      const tree = openTree(big, { memoryMb });
      for (const query of [
        { pattern: "differ" },
        { pattern: "DIFFER", ignore_case: true, limit: 20_000 },
        { pattern: "line\\n.*words", multiline: true },
        { pattern: "[a-z]+7\\b|needle", mode: "count" },
        { pattern: "\\pL{3} \\pL{4,9}" },
      ]) {
        await tree.search(query);
        await tree.index();
        assert.ok(
          tree.memoryBytes > 0 && tree.memoryBytes <= memoryMb * 2 ** 20,
          `${tree.memoryBytes} bytes`,
        );
      }
      await tree.close();
    } finally {
      rmSync(big, { recursive: true, force: true });
    }
  });
}
