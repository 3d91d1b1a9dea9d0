// The completion command as a process: what it started goes with it.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { pause } from "./callbacks";
import { callbacksOver } from "./callbacks.stage";
import { runCheck, type CheckResult } from "./check";
import type { Client } from "./opencode";

// this file is also a program that does nothing but run a check
const { CHECK_COMMAND } = process.env;
if (CHECK_COMMAND !== undefined) {
  const { exit } = await runCheck(CHECK_COMMAND, ".", 60_000, new AbortController().signal);
  process.exit(exit ?? 1);
}

/** A command that leaves a grandchild, whose process id it writes to `name`. */
const lingering = (name: string) => `sleep 300 & echo $! > ${name}; echo started; wait`;

function stage(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "check-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const callbacks = callbacksOver({} as Client, directory);
  t.after(() => callbacks.close());
  const run = (id: number) =>
    callbacks.runCheck({ id, command: lingering(`pid${id}`), timeoutMs: 60_000 }) as Promise<CheckResult>;
  const grandchild = async (id: number) => {
    for (;;) {
      try {
        const pid = Number(readFileSync(join(directory, `pid${id}`), "utf8"));
        if (pid > 0) return pid;
      } catch {
        // not written yet
      }
      await pause(10);
    }
  };
  return { callbacks, directory, run, grandchild };
}

/** The processes of a group, without those that only wait to be looked after. */
const members = (group: number) =>
  execFileSync("ps", ["-eo", "pgid=,pid=,stat="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([pgid, , state]) => pgid === String(group) && !state?.startsWith("Z"))
    .map(([, pid]) => Number(pid));

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // a zombie that nobody waits for is dead
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (lives(pid)) await pause(10);
}

test("a check that is stopped takes what it started with it, and only it", { timeout: 20_000 }, async (t) => {
  const { callbacks, run, grandchild } = stage(t);
  const [first, second] = [run(1), run(2)];
  const [one, two] = [await grandchild(1), await grandchild(2)];
  callbacks.stopCheck(1);
  const { exit, output } = await first;
  assert.equal(exit, null);
  assert.match(output, /^started\n\nstopped: its mission has ended$/);
  await gone(one);
  assert.ok(lives(two));
  callbacks.close();
  assert.match((await second).output, /stopped: OpenCode is ending$/);
  await gone(two);
});

test(
  "a check that has ended, or was never there, is stopped without a word",
  { timeout: 20_000 },
  async (t) => {
    const { callbacks } = stage(t);
    const ended = callbacks.runCheck({ id: 1, command: "exit 3", timeoutMs: 60_000 });
    assert.deepEqual(await ended, { exit: 3, output: "" });
    callbacks.stopCheck(1);
    callbacks.stopCheck(7);
  },
);

test(
  "a check goes when OpenCode is killed, with what it started, also what won't be asked",
  { timeout: 20_000, skip: process.platform === "win32" },
  async (t) => {
    const { directory, grandchild } = stage(t);
    const command = `trap '' TERM; (sleep 300; true) & echo $$ > pid2; ${lingering("pid1")}; sleep 300`;
    const env = { ...process.env, CHECK_COMMAND: command };
    const host = spawn(process.execPath, [fileURLToPath(import.meta.url)], { cwd: directory, env });
    const [pid, group] = [await grandchild(1), await grandchild(2)];
    assert.ok(lives(pid));
    host.kill("SIGKILL");
    await once(host, "exit");
    while (members(group).length > 0) await pause(50);
  },
);

test(
  "a check's watchdog goes with it, keeps no output open, and leaves alone what was to stay",
  { timeout: 20_000, skip: process.platform === "win32" },
  async (t) => {
    const { callbacks, grandchild } = stage(t);
    const command = `sleep 300 >/dev/null 2>&1 & echo $! > pid1; echo $$ > pid2; cat; exit 7`;
    const began = performance.now();
    const ended = await callbacks.runCheck({ id: 1, command, timeoutMs: 60_000 });
    assert.deepEqual(ended, { exit: 7, output: "" });
    assert.ok(performance.now() - began < 900, "it was waited for an output that stays open");
    const [left, group] = [await grandchild(1), await grandchild(2)];
    t.after(() => process.kill(left, "SIGKILL"));
    while (members(group).length > 1) await pause(10);
    assert.deepEqual(members(group), [left]);
  },
);

test("a check may wait for all its children", { timeout: 20_000 }, async (t) => {
  const { callbacks } = stage(t);
  const ended = callbacks.runCheck({ id: 1, command: "(exit 3) & wait; echo done >&2", timeoutMs: 60_000 });
  assert.deepEqual(await ended, { exit: 0, output: "done\n" });
});
