// The thread that takes a part of a worker's stats and searches: the answers are those without it, whatever becomes of it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { LocalInstance, newBoard, newHandle, ScoutedFiles } from "../../pkg/code-worker.js";
import { opencodeBin } from "../../tools/opencode-bin.mjs";
import { freshFolder, write } from "./trees.mjs";

const FILES = 3000;
const WORKER = new URL("../../pkg/code-worker.js", import.meta.url);
const short = freshFolder("scout");
after(() => rmSync(short, { recursive: true, force: true }));
const pathOf = (n) => `${n % 50}/${n % 7}/${n}.txt`;
write(
  short,
  Array.from({ length: FILES }, (_, n) => [pathOf(n), `needle ${n}\n`]),
);
// also a name that is no UTF-8: with it all paths of a list go byte by byte
write(short, [[Buffer.from([0x61, 0xe9, 0x2e, 0x74]), "needle latin\n"]]);
/** What was written just now is not trusted by its stat. */
const aged = Date.now() / 1000 - 60;
for (let n = 0; n < FILES; n++) utimesSync(join(short, pathOf(n)), aged, aged);
/** Texts that take some time to be searched. */
const long = freshFolder("scout-long");
after(() => rmSync(long, { recursive: true, force: true }));
const LONG_FILES = 500;
const longPathOf = (n) => `${n % 20}/${n}.txt`;
const textOf = (n) => `some words of file ${n}\n`.repeat(1500) + `needle ${n}\n`;
write(
  long,
  Array.from({ length: LONG_FILES }, (_, n) => [longPathOf(n), textOf(n)]),
);
for (let n = 0; n < LONG_FILES; n++) utimesSync(join(long, longPathOf(n)), aged, aged);
const settled = new Promise((resolve) => setTimeout(resolve, 2_500));

function ask(instance, pattern, shown = { mode: "count", limit: 1 }) {
  const args = JSON.stringify({ pattern, ...shown });
  const steps = instance.serve({ method: "code_search", args, index: 0, of: 1 });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value.text;
  }
}

/** An instance that may call the thread that `start` makes, and how many stats it took itself in the last search. */
function scouted(start, root = short) {
  const { port1, port2 } = new MessageChannel();
  const memory = newBoard();
  const made = { stats: 0, calls: 0, answers: [], opened: 0, unopened: 0 };
  const files = new ScoutedFiles({ root, port: port1, memory }, newHandle(), () => {
    made.calls += 1;
    made.thread = start({ root, port: port2, memory, handle: newHandle() }, port2);
  });
  const { scout } = files;
  const { receive } = scout;
  scout.receive = (waitMs) => {
    const answer = receive.call(scout, waitMs);
    if (answer !== undefined) made.answers.push(answer);
    return answer;
  };
  const { readAhead } = scout;
  scout.readAhead = (number, into) => {
    const count = readAhead.call(scout, number, into);
    made[count < 0 ? "unopened" : "opened"] += 1;
    return count;
  };
  const { statSome } = files;
  files.statSome = (paths, latin1, into, from, to) => {
    made.stats += Math.min(to, paths.length) - from;
    statSome.call(files, paths, latin1, into, from, to);
  };
  const settings = { artefact: "search", root, options: { search: { watch: false } }, cores: 1 };
  const instance = new LocalInstance(settings, files);
  const search = (pattern, shown) => {
    made.stats = 0;
    return ask(instance, pattern, shown);
  };
  const ready = async () => {
    const words = new Int32Array(memory, 0, 16);
    for (let i = 0; Atomics.load(words, 0) === 0 && i < 1000; i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { made, search, ready, index: () => while_(() => instance.idle()) };
}

const REAL = (scouts, port) =>
  new Worker(WORKER, { workerData: { scouts }, transferList: [port], trackUnmanagedFds: false });

async function until(isSo) {
  for (let i = 0; i < 500 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(isSo());
}

function while_(more) {
  while (more());
}

test("a scout takes a part of the stats, and what has changed is seen", async (t) => {
  await settled;
  const { made, search, ready, index } = scouted(REAL);
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
    appendFileSync(join(short, pathOf(n)), `needle 0${round}\n`);
    assert.match(search("needle \\d"), /3,001 matching lines/);
    rmSync(join(short, pathOf(n)));
    assert.match(search("needle \\d"), /2,999 matching lines/);
    writeFileSync(join(short, pathOf(n)), `needle ${n}\n`);
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

const openFiles = () => readdirSync("/proc/self/fd").length;

test("what a scout opens ahead is what it is then, and all of it is closed", async (t) => {
  const before = openFiles();
  const { made, search, ready } = scouted(REAL);
  t.after(() => made.thread?.terminate());
  assert.match(search("needle \\d"), /3,000 matching lines/);
  assert.equal(made.calls, 1, "where there are many files it is called");
  assert.equal(made.opened + made.unopened, 0);
  await ready();
  const idle = openFiles();
  const alone = new LocalInstance({
    artefact: "search",
    root: short,
    options: {},
    cores: 1,
    handle: newHandle(),
  });
  for (let round = 0; round < 8; round++) {
    const all = { limit: 5000 };
    assert.equal(search("needle \\d", all), ask(alone, "needle \\d", all));
    const [n, gone] = [31 + round * 307, 30 + round * 307];
    appendFileSync(join(short, pathOf(n)), `needle 0${round}\n`);
    rmSync(join(short, pathOf(gone)));
    assert.match(search("needle \\d"), /3,000 matching lines in 2,999 files/);
    writeFileSync(join(short, pathOf(n)), `needle ${n}\n`);
    writeFileSync(join(short, pathOf(gone)), `needle ${gone}\n`);
  }
  assert.ok(made.opened > 100, `${made.opened} of ${made.opened + made.unopened}`);
  await until(() => openFiles() === idle);
  // it ends in the middle of its work
  const ended = made.thread.terminate();
  assert.match(search("needle \\d"), /3,000 matching lines/);
  await ended;
  assert.match(search("needle \\d"), /3,000 matching lines/);
  await until(() => openFiles() <= before);
});

test("a process that has few files left loses nothing by it", () => {
  const program = fileURLToPath(new URL("./scout-files.program.mjs", import.meta.url));
  const command = `ulimit -n 1024 && exec "${process.execPath}" "${program}" "${short}"`;
  const text = execFileSync("sh", ["-c", command], { encoding: "utf8", timeout: 120_000 });
  const [, times] = /^the answers are the same; there was no file left (\d+) times\n$/.exec(text) ?? [];
  assert.ok(Number(times) > 0, text);
});

const found = (count) => new RegExp(`${count.toLocaleString("en")} matching lines in `);

test("a scout searches a part of the files, and what has changed is seen", async (t) => {
  await settled;
  const { made, search, ready, index } = scouted(REAL, long);
  t.after(() => made.thread?.terminate());
  search("needle");
  index();
  search("words");
  await ready();
  for (let round = 0; round < 6; round++) {
    assert.match(search("words"), found(LONG_FILES * 1500));
    const n = 23 + round * 79;
    const path = join(long, longPathOf(n));
    const text = textOf(n);
    writeFileSync(path, text.replace("some words", "some swords").replace("some words", "some works"));
    assert.match(search("words"), found(LONG_FILES * 1500 - 1));
    rmSync(path);
    assert.match(search("words"), found((LONG_FILES - 1) * 1500));
    writeFileSync(path, text);
    assert.match(search("words of \\w+ \\d"), found(LONG_FILES * 1500));
  }
  const answers = made.answers.filter((answer) => /"lines":[1-9]/.test(answer)).length;
  assert.ok(answers > 6, `${answers} answers`);
});

const [READY, PARCEL, ANSWERS, PAGES] = [0, 3, 4, 5];
/** A scout that begins a parcel, and then: what the program says. */
const beginning = (then) => `const { workerData: { port, memory } } = require("node:worker_threads");
  const words = new Int32Array(memory, 0, 16);
  port.on("message", ({ search, number }) => {
    if (number === undefined) return;
    const taken = Atomics.load(words, ${PARCEL});
    if (taken >>> 16 !== search || (taken & 0xffff) !== number) return;
    if (Atomics.compareExchange(words, ${PARCEL}, taken, taken + 1) === taken) ${then}
  });
  Atomics.store(words, ${PAGES}, 1);
  Atomics.store(words, ${READY}, 1);`;

const ANSWER = (text) =>
  `port.postMessage({ search, number, text: ${text} }), Atomics.add(words, ${ANSWERS}, 1), Atomics.notify(words, ${ANSWERS});`;
for (const [what, then] of [
  ["never answers", ";"],
  ["can't search", ANSWER('""')],
  ["answers nonsense", ANSWER('"{\\"part\\":1}"')],
  ["ends", "process.exit();"],
])
  test(`what a scout that ${what} has begun is searched without it`, { timeout: 60_000 }, async (t) => {
    const start = (workerData, port) =>
      new Worker(beginning(then), { eval: true, workerData, transferList: [port] });
    const { made, search, ready, index } = scouted(start, long);
    t.after(() => made.thread?.terminate());
    search("needle");
    index();
    search("words");
    await ready();
    for (let round = 0; round < 4; round++) assert.match(search("words"), found(LONG_FILES * 1500));
    assert.ok(made.answers.length > 0, "it has begun none");
  });

test("in OpenCode's own runtime a tree has a scout that ends with it", () => {
  const program = fileURLToPath(new URL("./scout.program.mjs", import.meta.url));
  const env = { ...process.env, BUN_BE_BUN: "1" };
  const text = execFileSync(opencodeBin(), ["run", program, short, long], {
    encoding: "utf8",
    env,
    timeout: 120_000,
  });
  assert.match(text, /^answers are the same; threads: \+2, and none is left\n$/);
});
