// Warm answers are those of a cold run: whatever happens to the tree between two queries or during one.
import assert from "node:assert/strict";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { openTree } from "../../pkg/code.js";
import { differences, ourLines, rgLines } from "./rg.mjs";
import { asRepository, freshFolder, seeded, write } from "./trees.mjs";

const ALL = { limit: 1_000_000 };
const root = freshFolder("warm");
after(() => rmSync(root, { recursive: true, force: true }));

const WORDS = ["alpha", "beta", "gamma", "delta", "Alpha", "BETA", "gam", "ma"];
const NAMES = ["a", "b", "c.txt", "d.rs", ".hidden", "e.log", "x/y", "x/z.txt", "x/deep/er.rs", "k/l/m.txt"];
const RULES = ["*.log\n", "d.rs\n", "x/\n", "!e.log\n", "/b\n", "*.txt\n!c.txt\n", ""];

/** Old times: what is older than two seconds is trusted by its stat. */
const OLD = new Date("2020-02-02T02:02:02Z");
function age(path) {
  try {
    utimesSync(path, OLD, OLD);
  } catch {
    // gone
  }
}

/** One change: of contents in place, same size and same time; of names, kinds, rules. */
function mutate(random) {
  const name = random.pick(NAMES);
  const path = join(root, name);
  const text = () =>
    Array.from({ length: 1 + random.below(5) }, () => random.pick(WORDS)).join(random.pick([" ", "\n"]));
  const attempt = (change) => {
    try {
      change();
    } catch {
      // a folder where a file should be, or nothing: another change then
    }
  };
  attempt(() => mkdirSync(dirname(path), { recursive: true }));
  attempt(
    random.pick([
      () => writeFileSync(path, text()),
      () => appendFileSync(path, `\n${text()}\n`),
      () => writeFileSync(path, readFileSync(path, "latin1").split("").reverse().join("")), // same size
      () => {
        writeFileSync(path, readFileSync(path, "latin1").replace(/a/g, "o")); // same size, and the time set back
        age(path);
      },
      () => rmSync(path, { recursive: true }),
      () => renameSync(path, join(root, random.pick(NAMES))),
      () => {
        writeFileSync(`${path}.new`, text());
        renameSync(`${path}.new`, path); // as editors save
      },
      () => {
        rmSync(path, { recursive: true });
        symlinkSync("a", path);
      },
      () => linkSync(join(root, random.pick(NAMES)), path),
      () => writeFileSync(path, Buffer.concat([Buffer.from(text()), Buffer.from([0])])),
      () => writeFileSync(path, Buffer.from(`\uFEFF${text()}`, "utf16le")),
      () =>
        writeFileSync(
          join(dirname(path), random.pick([".gitignore", ".ignore", ".rgignore"])),
          random.pick(RULES),
        ),
      () => renameSync(join(root, "x"), join(root, "x2")),
      () => renameSync(join(root, "x2"), join(root, "x")),
      () => age(path),
      () => age(dirname(path)),
    ]),
  );
}

const QUERIES = [
  { pattern: "alpha" },
  { pattern: "beta", ignore_case: true },
  { pattern: "gamma|delta" },
  { pattern: "gam\\w*", word: true },
  { pattern: "m" },
  { pattern: "alpha\\s+beta", multiline: true },
];

for (const seed of [1, 2, 3]) {
  for (const workers of [1, 2]) {
    test(`seed ${seed}, ${workers} worker(s): every answer between mutations is ripgrep's`, async () => {
      const random = seeded(seed);
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root);
      asRepository(root);
      write(
        root,
        NAMES.map((name) => [name, WORDS.join("\n")]),
      );
      for (const name of NAMES) age(join(root, name));
      const tree = openTree(root, { workers });
      for (let round = 0; round < 150; round++) {
        for (let i = random.below(4); i > 0; i--) mutate(random);
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
