// What a newcomer runs first: `npm start` with its stories, which check themselves, on a machine that has what it needs or not.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { which } from "../../tools/lib.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Exit code and everything that was printed. */
function program(...args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
    child.on("close", (code) => done({ code, text }));
  });
}

describe("npm start", { concurrency: 2 }, () => {
  for (const [story, verdict] of [
    [[], /✔ complete: all 4 todos are done · all-done/],
    [["--stuck"], /■ stopped: no progress in 3 turns/],
    [["--outage"], /✔ complete: all 4 todos are done · all-done/],
  ]) {
    test(`npm start ${story.join(" ")}`, async () => {
      const { code, text } = await program("tools/start.mjs", ...story);
      assert.equal(code, 0, text);
      assert.match(text, verdict);
      assert.match(text, /0 outside connections attempted/);
    });
  }
});

test("a machine with nothing but Node is told in one line what to install", () => {
  const empty = mkdtempSync(join(tmpdir(), "only-node-"));
  symlinkSync(process.execPath, join(empty, "node"));
  symlinkSync(which("git") ?? assert.fail("git"), join(empty, "git"));
  const env = { PATH: empty, HOME: empty };
  const { status, stdout, stderr } = spawnSync(process.execPath, ["tools/setup.mjs", "--for", "start"], {
    cwd: ROOT,
    env,
    encoding: "utf8",
  });
  rmSync(empty, { recursive: true });
  assert.equal(status, 1, stdout);
  const lines = stderr.trim().split("\n");
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0], /cargo.*rustup/i);
});
