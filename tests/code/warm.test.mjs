// Warm answers are those of a cold run: whatever happens to the tree between two queries or during one.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openTree } from "../../pkg/code.js";
import { age, makeTree, mutate, QUERIES } from "./mutations.mjs";
import { differences, ourLines, rgLines } from "./rg.mjs";
import { freshFolder, seeded, write } from "./trees.mjs";

const ALL = { limit: 1_000_000 };
const root = freshFolder("warm");
after(() => rmSync(root, { recursive: true, force: true }));

for (const seed of [1, 2, 3]) {
  for (const workers of [1, 2]) {
    test(`seed ${seed}, ${workers} worker(s): every answer between mutations is ripgrep's`, async () => {
      const random = seeded(seed);
      makeTree(root);
      const tree = openTree(root, { workers });
      for (let round = 0; round < 150; round++) {
        for (let i = random.below(4); i > 0; i--) mutate(random, root);
        const query = random.pick(QUERIES);
        const ours = ourLines(await tree.search({ ...query, ...ALL }));
        const differing = differences(ours, rgLines(root, query));
        assert.deepEqual(differing, [], `round ${round}: ${JSON.stringify(query)}`);
        // the index grows between queries: let it, so that there is something to be stale
        if (round % 3 === 0) await new Promise((resume) => setImmediate(resume));
      }
      await tree.close();
    });
  }
}

test("a file that was written a moment ago is seen: same size, same second", async () => {
  rmSync(root, { recursive: true, force: true });
  write(root, [["a.txt", "version 0000"]]);
  age(join(root, "a.txt"));
  const tree = openTree(root);
  for (let i = 0; i < 300; i++) {
    const version = `version ${String(i).padStart(4, "0")}`;
    writeFileSync(join(root, "a.txt"), version);
    const answer = await tree.search({ pattern: "version \\d+" });
    assert.match(answer, new RegExp(`^a.txt\n1: ${version}\n`));
  }
  await tree.close();
});

test("200 searches at a time, edits going on, aborts at random: no wrong answer, memory under the ceiling", async () => {
  rmSync(root, { recursive: true, force: true });
  const random = seeded(7);
  const stable = Array.from({ length: 400 }, (_, i) => [
    `stable/${i % 20}/${i}.txt`,
    `${"filler text of a line\n".repeat(200)}stable needle ${i}\n`,
  ]);
  write(root, stable);
  const memoryMb = 64;
  const tree = openTree(root, { memoryMb, workers: 2 });
  let edits = 0;
  let isOver = false;
  const editing = (async () => {
    while (!isOver) {
      writeFileSync(
        join(root, `edited-${edits % 10}.txt`),
        `edit needle ${edits}\n`.repeat(1 + (edits % 50)),
      );
      if (edits % 7 === 0) rmSync(join(root, `edited-${(edits + 3) % 10}.txt`), { force: true });
      edits++;
      await new Promise((resume) => setImmediate(resume));
    }
  })();
  let aborted = 0;
  const searches = Array.from({ length: 200 }, async (_, i) => {
    const abort = new AbortController();
    const after = random.below(40);
    const query = random.pick([
      { pattern: "stable needle \\d+", expected: 400 },
      { pattern: "STABLE needle", ignore_case: true, expected: 400 },
      { pattern: "stable needle 1\\d$", expected: 10 },
      { pattern: "nothing of that kind", expected: 0 },
    ]);
    const { expected, ...args } = query;
    const answer = tree.search({ ...args, ...ALL, path: i % 2 ? "stable" : "" }, abort.signal);
    const answered = answer.then(
      (text) => assert.equal(ourLines(text).filter((pair) => pair.startsWith("stable/")).length, expected),
      (error) => {
        assert.equal(error.message, "Aborted.");
        aborted++;
      },
    );
    if (after < 20) {
      for (let turn = 0; turn < after; turn++) await new Promise((resume) => setImmediate(resume));
      abort.abort();
    }
    await answered;
  });
  await Promise.all(searches);
  isOver = true;
  await editing;
  assert.ok(aborted > 10, `${aborted} were aborted`);
  assert.ok(tree.memoryBytes < memoryMb * 2 ** 20, `${tree.memoryBytes} bytes`);
  await tree.close();
  await assert.rejects(tree.search({ pattern: "x" }));
});
