// The completion command as a process: what it started goes with it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pause } from "./callbacks";
import { callbacksOver } from "./callbacks.stage";
import type { CheckResult } from "./check";
import type { Client } from "./opencode";

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
  return { callbacks, run, grandchild };
}

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
