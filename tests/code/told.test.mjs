// Answers while a watcher tells of changes, in both runtimes: Node's own loop reads inotify there, here it is called itself.
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { opencodeBin } from "../../tools/opencode-bin.mjs";

const PROGRAM = fileURLToPath(new URL("./told.program.mjs", import.meta.url));
const ROUNDS = "200";
const LIMIT_MS = 240_000;

for (const seed of [1, 2, 3]) {
  for (const workers of [1, 2]) {
    for (const [name, program, args, env] of [
      ["Node", process.execPath, [], {}],
      ["OpenCode's runtime", opencodeBin(), ["run"], { BUN_BE_BUN: "1" }],
    ]) {
      test(`${name}, seed ${seed}, ${workers} worker(s): every told answer is that of a cold run`, () => {
        execFileSync(program, [...args, PROGRAM, String(seed), String(workers), ROUNDS], {
          env: { ...process.env, ...env },
          stdio: ["ignore", "pipe", "pipe"],
          timeout: LIMIT_MS,
        });
      });
    }
  }
}
