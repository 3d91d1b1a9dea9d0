// What is told of watched folders. tests/code/told.test.mjs has both ways to it, and what the module makes of them.
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Watcher } from "./watcher";

const onLinux = { skip: process.platform !== "linux" };

/** A watched folder with another in it. */
function stage(t: { after(done: () => void): void }) {
  const base = mkdtempSync(join(tmpdir(), "watcher-"));
  const root = join(base, "root");
  mkdirSync(join(root, "in"), { recursive: true });
  const watcher = new Watcher(root, () => undefined);
  t.after(() => {
    watcher.close();
    rmSync(base, { recursive: true, force: true });
  });
  const types = Uint32Array.of(statfsSync(root).type);
  return { base, root, watcher, types };
}

const inotifies = () =>
  readdirSync("/proc/self/fd").filter((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`) === "anon_inode:inotify";
    } catch {
      return false;
    }
  }).length;

test("what happened before the question is told, and once", onLinux, async (t) => {
  const { root, watcher, types } = stage(t);
  const watch = watcher.watch(Buffer.from(root), types);
  assert.ok(watch >= 0);
  for (let i = 0; i < 50; i++) {
    writeFileSync(join(root, "new"), String(i));
    await watcher.settle();
    assert.match(watcher.changes(), new RegExp(`f${watch}:0:new/`));
    await watcher.settle();
    assert.equal(watcher.changes(), "");
  }
});

test("a folder on another file system than asked for is not watched, nor one that is none", onLinux, (t) => {
  const { root, watcher, types } = stage(t);
  assert.ok(watcher.watch(Buffer.from(root), Uint32Array.of(1)) < 0);
  assert.ok(watcher.watch(Buffer.from(join(root, "none")), types) < 0);
  assert.equal(watcher.changes(), "!", "and so nothing is known");
});

test("of a root that was replaced, even by the folder above, nothing is known", onLinux, async (t) => {
  const { base, root, watcher, types } = stage(t);
  watcher.watch(Buffer.from(join(root, "in")), types);
  renameSync(root, join(base, "old"));
  mkdirSync(join(root, "in"), { recursive: true });
  await watcher.settle();
  assert.equal(watcher.changes(), "!");
  watcher.watch(Buffer.from(join(root, "in")), types);
  await watcher.settle();
  assert.equal(watcher.changes(), "", "it is watched anew");
});

test("after more than the kernel keeps nothing is known", onLinux, async (t) => {
  const { root, watcher, types } = stage(t);
  watcher.watch(Buffer.from(root), types);
  const [one, two] = [join(root, "in"), join(root, "in2")];
  for (let i = 0; i < 10_000; i++) {
    renameSync(one, two);
    renameSync(two, one);
  }
  await watcher.settle();
  assert.equal(watcher.changes(), "!");
});

test("nothing stays open", onLinux, async (t) => {
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 5; i++) {
    const { root, watcher, types } = stage(t);
    watcher.watch(Buffer.from(root), types);
    await watcher.settle();
    watcher.close();
    await new Promise((resume) => setImmediate(resume));
  }
  assert.ok(inotifies() <= 1, "Node keeps one for its loop");
  assert.ok(readdirSync("/proc/self/fd").length <= before + 3);
});
