// Searches a tree with a scout, while the process may open fewer files than the scout opens ahead. Runs with a limit of 1,024
// open files. Usage: scout-files.program.mjs <folder>
import assert from "node:assert/strict";
import fs, { openSync, readdirSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";

const LIMIT = 1024;
/** Files that may be opened yet. */
const LEFT = 30;
/** Searches at most until one of them wanted more; they take some milliseconds. */
const ROUNDS = 1_000;

let refused = 0;
const { openSync: open } = fs;
fs.openSync = (...args) => {
  try {
    return open(...args);
  } catch (error) {
    refused += Number(error.code === "EMFILE");
    throw error;
  }
};
syncBuiltinESMExports();
const { LocalInstance, newBoard, newHandle, ScoutedFiles } = await import("../../pkg/code-worker.js");

const root = process.argv[2];
const { port1, port2 } = new MessageChannel();
const memory = newBoard();
const files = new ScoutedFiles({ root, port: port1, memory }, newHandle(), () => undefined);
const settings = { artefact: "search", root, options: { search: { watch: false } }, cores: 1 };
const instance = new LocalInstance(settings, files);
const args = JSON.stringify({ pattern: "needle", mode: "count", limit: 5000 });
function search() {
  const steps = instance.serve({ method: "code_search", args, index: 0, of: 1 });
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value.text;
  }
}

const alone = search();
const thread = new Worker(new URL("../../pkg/code-worker.js", import.meta.url), {
  workerData: { scouts: { root, port: port2, memory, handle: newHandle() } },
  transferList: [port2],
  trackUnmanagedFds: false,
});
while (Atomics.load(new Int32Array(memory), 0) === 0) await pause(5);
while (readdirSync("/proc/self/fd").length < LIMIT - LEFT) openSync("/dev/null");
for (let round = 0; round < ROUNDS && refused < 10; round++) {
  assert.equal(search(), alone);
  await pause(5);
}
await thread.terminate();
console.log(`the answers are the same; there was no file left ${refused} times`);
