// Warm answers while a watcher tells of changes are those of a cold run. Runs in Node and in OpenCode's own runtime; what is
// wrong is thrown. Usage: told.program.mjs <seed> <workers> <rounds>
import assert from "node:assert/strict";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LocalInstance, newHandle } from "../../pkg/code-worker.js";
import { openTree } from "../../pkg/code.js";
import { age, makeTree, mutate, QUERIES } from "./mutations.mjs";
import { freshFolder, seeded } from "./trees.mjs";

const ALL = { limit: 1_000_000 };
const [seed, workers, rounds] = process.argv.slice(-3).map(Number);
const IN_OPENCODE = process.versions.bun !== undefined;

/** The answer of an instance that knows nothing yet. */
function cold(method, args) {
  const settings = { artefact: "search", root, options: null, cores: 1, handle: newHandle() };
  const steps = new LocalInstance(settings).serve({ method, args: JSON.stringify(args), index: 0, of: 1 });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value.text;
  }
}

/** Folders that this process has watched. */
function watches() {
  let count = 0;
  for (const file of readdirSync("/proc/self/fd")) {
    try {
      if (readlinkSync(`/proc/self/fd/${file}`) !== "anon_inode:inotify") continue;
      count += readFileSync(`/proc/self/fdinfo/${file}`, "utf8").match(/^inotify wd/gm)?.length ?? 0;
    } catch {
      // closed meanwhile
    }
  }
  return count;
}

const base = freshFolder("told");
const root = join(base, "above", "tree");
const outside = join(base, "outside");
mkdirSync(outside);
mkdirSync(join(base, "above"));

/** More events than the kernel keeps for anybody, and at their end one of importance. */
function overflow() {
  makeTree(root);
  const [one, two] = [join(root, "b"), join(root, "b2")];
  for (let i = 0; i < 10_000; i++) {
    renameSync(one, two);
    renameSync(two, one);
  }
  const text = readFileSync(join(root, "a"), "latin1");
  writeFileSync(join(root, "a"), text.replaceAll("m", "w"));
  age(join(root, "a"));
}

try {
  const random = seeded(seed);
  makeTree(root);
  const before = watches();
  const tree = openTree(root, { workers });
  await tree.search({ pattern: "alpha" });
  await tree.index();
  assert.ok(watches() - before >= 4 * workers, `${watches() - before} folders are watched`);
  for (let round = 0; round < rounds; round++) {
    // Node tells nothing of shared memory, which UNTOLD_MS is for
    const how = { watched: true, outside, memory: IN_OPENCODE };
    const done = [];
    for (let i = random.below(4); i > 0; i--) done.push(mutate(random, root, how));
    const query = { ...random.pick(QUERIES), ...ALL };
    const at = `seed ${seed}, round ${round}: ${query.pattern}, after ${done.join("; ")}`;
    assert.equal(await tree.search(query), cold("code_search", query), at);
    if (round % 4 === 1) assert.equal(await tree.findFiles(ALL), cold("find_files", ALL), `${at}, files`);
    // the watches and the index are set between queries
    if (round % 3 === 0) await tree.index();
  }
  const query = { pattern: "m", ...ALL };
  for (let i = 0; i < 3; i++) {
    await tree.search(query);
    await tree.index();
    overflow();
    assert.equal(await tree.search(query), cold("code_search", query), `after an overflow: ${i}`);
  }
  await tree.close();
  assert.equal(watches(), before, "a watch was left");
} finally {
  rmSync(base, { recursive: true, force: true });
}
