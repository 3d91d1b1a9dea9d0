import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { replaceFile } from "./syntax";

const OLD = Buffer.alloc(300_000, "old ");
const NEW = Buffer.alloc(500_000, "new ");
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const writerOf = process.env["TEST_WRITES_FOREVER"];
if (writerOf !== undefined) {
  // the child of the test below: replaces one content by the other until it is killed
  for (;;) {
    replaceFile(writerOf, "a.txt", sha(OLD), NEW);
    process.stdout.write("n");
    replaceFile(writerOf, "a.txt", sha(NEW), OLD);
    process.stdout.write("o");
  }
}

function folder(t: { after(done: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), "replace-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("a file is replaced whole, with its mode, and nothing is left beside it", (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, "a.sh"), OLD);
  chmodSync(join(dir, "a.sh"), 0o755);
  replaceFile(dir, "a.sh", sha(OLD), NEW);
  assert.deepEqual(readFileSync(join(dir, "a.sh")), NEW);
  assert.equal(statSync(join(dir, "a.sh")).mode & 0o777, 0o755);
  assert.deepEqual(readdirSync(dir), ["a.sh"]);
});

test("a file that changed, became a link or leads outside is left", (t) => {
  const dir = folder(t);
  const outside = folder(t);
  writeFileSync(join(dir, "a.txt"), "mine");
  assert.throws(() => replaceFile(dir, "a.txt", sha(OLD), NEW), /it changed since the preview/);
  assert.equal(readFileSync(join(dir, "a.txt"), "utf8"), "mine");
  writeFileSync(join(outside, "b.txt"), OLD);
  symlinkSync(join(outside, "b.txt"), join(dir, "b.txt"));
  assert.throws(() => replaceFile(dir, "b.txt", sha(OLD), NEW), /no regular file/);
  symlinkSync(outside, join(dir, "out"));
  assert.throws(() => replaceFile(dir, "out/b.txt", sha(OLD), NEW), /outside of the project/);
  assert.deepEqual(readFileSync(join(outside, "b.txt")), OLD);
  mkdirSync(join(dir, "c.txt"));
  assert.throws(() => replaceFile(dir, "c.txt", sha(OLD), NEW));
  assert.deepEqual(readdirSync(dir).sort(), ["a.txt", "b.txt", "c.txt", "out"]);
});

test("killed in the middle of writing, the file is the old one or the new one", async (t) => {
  const dir = folder(t);
  for (let kill = 1; kill <= 12; kill++) {
    writeFileSync(join(dir, "a.txt"), OLD);
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
      env: { ...process.env, TEST_WRITES_FOREVER: dir },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let written = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      written += chunk.length;
      if (written >= kill) child.kill("SIGKILL"); // in the middle of the next one
    });
    await new Promise((done) => child.on("close", done));
    const found = readFileSync(join(dir, "a.txt"));
    assert.ok(found.equals(OLD) || found.equals(NEW), `${found.length} bytes of neither`);
  }
});
