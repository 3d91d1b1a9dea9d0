// Which process drives a journal, when process ids come again and several take it at once.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { claim, isClaimed, release } from "./lock";

// this file is also a program that claims a journal at a given moment, says how it went, and stays
const { CLAIM, CLAIM_AT } = process.env;
if (CLAIM !== undefined) {
  while (Date.now() < Number(CLAIM_AT)) continue;
  const holder = claim(CLAIM);
  process.stdout.write(`${holder ?? "ours"}\n`);
  await once(process.stdin.resume(), "end");
  process.exit();
}

function journal(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "lock-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "a.ndjson");
  return { folder, path, lock: `${path}.lock` };
}

/** A process that lives as long as the test. */
function living(t: TestContext): number {
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  t.after(() => other.kill("SIGKILL"));
  return other.pid ?? 0;
}

const saysMore = { skip: !existsSync("/proc/self/stat") };

test("a claim is ours until it is released, and leaves nothing behind", (t) => {
  const { folder, path } = journal(t);
  assert.equal(claim(path), undefined);
  assert.equal(claim(path), undefined);
  assert.ok(isClaimed(path));
  assert.deepEqual(readdirSync(folder), ["a.ndjson.lock"]);
  release(path);
  assert.deepEqual(readdirSync(folder), []);
});

test("a lock from before, a process id alone, is understood", (t) => {
  const { path, lock } = journal(t);
  const pid = living(t);
  writeFileSync(lock, String(pid));
  assert.equal(claim(path), pid);
  writeFileSync(lock, String(spawnSync(process.execPath, ["-e", ""]).pid));
  assert.equal(claim(path), undefined);
});

test("a process of another start or another boot under the same id is another one", saysMore, (t) => {
  const { path, lock } = journal(t);
  assert.equal(claim(path), undefined);
  const [, , boot] = readFileSync(lock, "utf8").split(" ");
  const pid = living(t);
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const start = stat.split(") ")[1]?.split(" ")[19];
  for (const [text, holder] of [
    [`${pid} ${start} ${boot}`, pid],
    [`${pid} 1 ${boot}`, undefined],
    [`${pid} ${start} 00000000-0000-0000-0000-000000000000`, undefined],
    [`1 1 ${boot}`, undefined],
    [`${process.pid} 1 ${boot}`, undefined],
    ["", undefined],
  ] as const) {
    writeFileSync(lock, text);
    assert.equal(claim(path), holder, text);
  }
});

test("of several that take a dead process's journal at once one has it", { timeout: 30_000 }, async (t) => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  for (let round = 0; round < 3; round++) {
    const { folder, path, lock } = journal(t);
    writeFileSync(lock, String(dead));
    const env = { ...process.env, CLAIM: path, CLAIM_AT: String(Date.now() + 600) };
    const all = Array.from({ length: 5 }, () =>
      spawn(process.execPath, [fileURLToPath(import.meta.url)], { env }),
    );
    t.after(() => all.forEach((child) => child.kill("SIGKILL")));
    const said = await Promise.all(
      all.map(async ({ stdout }) => String((await once(stdout.setEncoding("utf8"), "data"))[0]).trim()),
    );
    assert.equal(said.filter((text) => text === "ours").length, 1, said.join());
    assert.deepEqual(readdirSync(folder), ["a.ndjson.lock"]);
    for (const child of all) child.stdin.end();
  }
});
