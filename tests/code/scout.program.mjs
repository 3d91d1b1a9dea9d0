// Searches a large tree again and again, by stat. Runs in OpenCode's own runtime. Usage: scout.program.mjs <folder>
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { openTree } from "../../pkg/code.js";

const [root] = process.argv.slice(-1);
/** Threads that run JavaScript, by the name that the runtime gives them. */
const threads = () =>
  readdirSync("/proc/self/task").filter((id) =>
    /^(Worker|code-worker)/i.test(readFileSync(`/proc/self/task/${id}/comm`, "utf8")),
  ).length;

const tree = openTree(root, { watch: false });
const count = async (pattern) => (await tree.search({ pattern, mode: "count", limit: 1 })).split("\n").at(-1);
const first = await count("needle");
await tree.index();
assert.equal(await count("needle"), first);
await pause(300);
for (let round = 0; round < 20; round++) assert.equal(await count("needle"), first);
const most = threads();
await tree.close();
for (let i = 0; threads() > 0 && i < 100; i++) await pause(20);
console.log(`answers are the same; threads: +${most}, and ${threads() || "none"} is left`);
