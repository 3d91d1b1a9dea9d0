// The thread that takes a part of a worker's stats: the answers are those without it, whatever becomes of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { LocalInstance, ScoutedFiles } from "../../pkg/code-worker.js";
import { opencodeBin } from "../../tools/opencode-bin.mjs";
import { freshFolder, write } from "./trees.mjs";

const FILES = 3000;
const WORKER = new URL("../../pkg/code-worker.js", import.meta.url);
const root = freshFolder("scout");
after(() => rmSync(root, { recursive: true, force: true }));
const pathOf = (n) => `${n % 50}/${n % 7}/${n}.txt`;
write(
  root,
  Array.from({ length: FILES }, (_, n) => [pathOf(n), `needle ${n}\n`]),
);
// also a name that is no UTF-8: with it all paths of a list go byte by byte
write(root, [[Buffer.from([0x61, 0xe9, 0x2e, 0x74]), "needle latin\n"]]);
/** What was written just now is not trusted by its stat. */
const aged = Date.now() / 1000 - 60;
for (let n = 0; n < FILES; n++) utimesSync(join(root, pathOf(n)), aged, aged);
const settled = new Promise((resolve) => setTimeout(resolve, 2_500));

function ask(instance, pattern) {
  const args = JSON.stringify({ pattern, mode: "count", limit: 1 });
  const steps = instance.serve({ method: "code_search", args, index: 0, of: 1 });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value.text;
  }
}

/** An instance that may call the thread that `start` makes, and how many stats it took itself in the last search. */
function scouted(start) {
  const { port1, port2 } = new MessageChannel();
  const memory = new SharedArrayBuffer(64 + 2048 * 6 * 8);
  const made = { stats: 0, calls: 0 };
  const files = new ScoutedFiles(
    { root, port: port1, memory },
    () => undefined,
    () => {
      made.calls += 1;
      made.thread = start({ root, port: port2, memory }, port2);
    },
  );
  const { statSome } = files;
  files.statSome = (paths, latin1, into, from, to) => {
    made.stats += Math.min(to, paths.length) - from;
    statSome.call(files, paths, latin1, into, from, to);
  };
  const settings = { artefact: "search", root, options: { search: { watch: false } }, cores: 1 };
  const instance = new LocalInstance(settings, files);
  const search = (pattern) => {
    made.stats = 0;
    return ask(instance, pattern);
  };
  const ready = async () => {
    const words = new Int32Array(memory, 0, 16);
    for (let i = 0; Atomics.load(words, 0) === 0 && i < 1000; i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { made, search, ready, index: () => while_(() => instance.idle()) };
}

function while_(more) {
  while (more());
}

test("a scout takes a part of the stats, and what has changed is seen", async (t) => {
  await settled;
  const { made, search, ready, index } = scouted(
    (scouts, port) => new Worker(WORKER, { workerData: { scouts }, transferList: [port] }),
  );
  t.after(() => made.thread?.terminate());
  assert.match(search("needle \\d"), /3,000 matching lines/);
  index();
  assert.match(search("needle \\d"), /3,000 matching lines/);
  assert.equal(made.calls, 1);
  await ready();
  let shared = 0;
  for (let round = 0; round < 8; round++) {
    assert.match(search("needle \\d"), /3,000 matching lines/);
    assert.match(search("latin"), /1 matching line /);
    shared += Number(made.stats < FILES);
    const n = 17 + round * 311;
    appendFileSync(join(root, pathOf(n)), `needle 0${round}\n`);
    assert.match(search("needle \\d"), /3,001 matching lines/);
    rmSync(join(root, pathOf(n)));
    assert.match(search("needle \\d"), /2,999 matching lines/);
    writeFileSync(join(root, pathOf(n)), `needle ${n}\n`);
  }
  assert.ok(shared > 0, "the worker took all stats itself");
  assert.equal(made.calls, 1, "one is enough");
});

test("a scout that leaves off in the middle is done without", { timeout: 60_000 }, async (t) => {
  // it takes up one chunk, and is never heard of again
  const program = `const { workerData: { port, memory } } = require("node:worker_threads");
    const words = new Int32Array(memory, 0, 16);
    port.on("message", () => Atomics.add(words, 1, 1));
    Atomics.store(words, 0, 1);`;
  const { made, search, ready, index } = scouted(
    (workerData, port) => new Worker(program, { eval: true, workerData, transferList: [port] }),
  );
  t.after(() => made.thread?.terminate());
  search("needle");
  index();
  search("needle");
  await ready();
  for (let round = 0; round < 3; round++) assert.match(search("needle \\d"), /3,000 matching lines/);
  assert.ok(made.stats >= FILES, "it takes them all itself now");
});

test("in OpenCode's own runtime a tree has a scout that ends with it", () => {
  const program = fileURLToPath(new URL("./scout.program.mjs", import.meta.url));
  const env = { ...process.env, BUN_BE_BUN: "1" };
  const text = execFileSync(opencodeBin(), ["run", program, root], {
    encoding: "utf8",
    env,
    timeout: 120_000,
  });
  assert.match(text, /^answers are the same; threads: \+2, and none is left\n$/);
});
