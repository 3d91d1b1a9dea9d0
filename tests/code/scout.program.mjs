// Searches two trees again and again, by stat: one of many files, one of long ones. Runs in OpenCode's own runtime. Usage:
// scout.program.mjs <folder> <folder>
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { openTree } from "../../pkg/code.js";

const roots = process.argv.slice(-2);
const nameOf = (id) => {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, "utf8");
  } catch {
    return ""; // it has ended since it was listed
  }
};
/** Threads that run JavaScript, by the name that the runtime gives them. */
const threads = () =>
  readdirSync("/proc/self/task").filter((id) => /^(Worker|code-worker)/i.test(nameOf(id))).length;

const targetOf = (file) => {
  try {
    return readlinkSync(`/proc/self/fd/${file}`);
  } catch {
    return ""; // likewise
  }
};
/** Files of the trees that are open. */
const openFiles = () =>
  readdirSync("/proc/self/fd").filter((file) => roots.some((root) => targetOf(file).startsWith(root))).length;

let most = 0;
for (const root of roots) {
  const tree = openTree(root, { watch: false });
  const count = async (pattern) =>
    (await tree.search({ pattern, mode: "count", limit: 1 })).split("\n").at(-1);
  const first = await count("e");
  assert.equal(await count("e"), first);
  await tree.index();
  assert.equal(await count("e"), first);
  await pause(300);
  const before = tree.memoryBytes;
  for (let round = 0; round < 20; round++) assert.equal(await count("e"), first);
  assert.ok(before > 0 && tree.memoryBytes < 256 << 20);
  most = Math.max(most, threads());
  await tree.close();
  for (let i = 0; threads() > 0 && i < 100; i++) await pause(20);
  assert.equal(openFiles(), 0);
}
console.log(`answers are the same; threads: +${most}, and ${threads() || "none"} is left`);
