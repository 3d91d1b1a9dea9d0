// The code tools as a library for browsers, as the package holds it: over files in memory, over a picked folder, over chosen
// and dropped files.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { openTree as openLocal } from "../../pkg/code.js";
import { open } from "./browser.mjs";

/** What each kind of tree is made of. */
const FILES = {
  ".git/HEAD": "ref: refs/heads/main\n",
  ".git/info/exclude": "excluded.rs\n",
  ".gitignore": "/build/\n*.log\n",
  "README.md": "# Ünïcode\n\nfn in_prose()\n",
  "build/out.rs": "fn built() {}\n",
  "excluded.rs": "fn excluded() {}\n",
  "src/main.rs": 'fn main() { greet("wörld"); }\n',
  "src/ñ/deep/greet.rs": "pub fn greet(name: &str) { println!(name); }\n",
  "src/broken.ts": "const x = ;\n",
  "src/run.sh": 'greet() { echo "hi"; }\n',
  "trace.log": "fn logged()\n",
};

let site, page, folder, local;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "browser-tree-"));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  local = openLocal(folder);
  site = await open({ folder: "pkg" });
  page = await site.bare();
  await page.evaluate(async (files) => {
    globalThis.library = await import("./code-browser.js");
    globalThis.filesOf = (files) =>
      new Map(Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)]));
    /** A folder as a person picks one: the browser's private one has the same interface. */
    globalThis.write = async (root, path, text) => {
      const parts = path.split("/");
      const name = parts.pop();
      let at = root;
      for (const part of parts) at = await at.getDirectoryHandle(part, { create: true });
      const writable = await (await at.getFileHandle(name, { create: true })).createWritable();
      await writable.write(text);
      await writable.close();
    };
    globalThis.picked = async (name, files) => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true });
      for (const [path, text] of Object.entries(files)) await write(root, path, text);
      return root;
    };
  }, FILES);
});
after(async () => {
  await site.close();
  await local.close();
  rmSync(folder, { recursive: true });
});

const QUERIES = [
  ["search", { pattern: "fn \\w+\\(" }],
  ["search", { pattern: "wörld", literal: true, mode: "count" }],
  ["search", { pattern: "greet", path: "src/ñ", context: 1 }],
  ["search", { pattern: "built", path: "build" }],
  ["search", { pattern: "fn (" }],
  ["findFiles", {}],
  ["findFiles", { fuzzy: "grt" }],
  ["findFiles", { glob: "**/*.{rs,sh}" }],
  ["astSearch", { pattern: "greet($A)", language: "rust" }],
  ["astSearch", { pattern: "echo $A", language: "bash" }],
  ["rewrite", { pattern: "greet($A)", rewrite: "hail($A)", language: "rust" }],
  ["outline", { path: "src/ñ/deep/greet.rs" }],
  ["outline", { symbol: "greet" }],
  ["diagnostics", {}],
  ["diagnostics", { path: "nowhere" }],
];

/** What a tree says to all of them; an error's message where it says that. */
const saidBy = (tree, queries) =>
  queries.reduce(async (said, [method, args]) => {
    const text = await tree[method](args).catch((error) => `fault: ${error.message}`);
    return [...(await said), text];
  }, Promise.resolve([]));

async function sameAsLocal(source) {
  const said = await page.evaluate(`(async () => {
    const tree = library.openTree(await ${source});
    const said = await (${saidBy})(tree, ${JSON.stringify(QUERIES)});
    await tree.close();
    return said;
  })()`);
  const expected = await saidBy(local, QUERIES);
  QUERIES.forEach((query, i) => assert.equal(said[i], expected[i], JSON.stringify(query)));
}

test("over files in memory each tool answers as it does in Node", () =>
  sameAsLocal(`filesOf(${JSON.stringify(FILES)})`));

test("over a picked folder each tool answers as it does in Node", () =>
  sameAsLocal(`picked("same", ${JSON.stringify(FILES)})`));

test("over the files of an input each tool answers as it does in Node", async () => {
  await page.evaluate(() => {
    document.body.innerHTML = '<input type="file" id="folder" webkitdirectory />';
  });
  await page.locator("#folder").setInputFiles(folder);
  await sameAsLocal(`document.getElementById("folder").files`);
});

test("a dropped folder is a tree, a dropped file is none", async () => {
  await page.evaluate(() => {
    document.ondragover = (event) => event.preventDefault();
    document.ondrop = (event) => {
      event.preventDefault();
      globalThis.dropped = library.dropped(event.dataTransfer);
    };
  });
  const client = await page.context().newCDPSession(page);
  const drop = async (path) => {
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await client.send("Input.dispatchDragEvent", { type, x: 10, y: 10, data });
    }
  };
  await drop(join(folder, "README.md"));
  assert.equal(await page.evaluate("dropped.then((source) => source === undefined)"), true);
  await drop(folder);
  await sameAsLocal("dropped");
});

test("the syntax tree has the pattern's matches, in the text's own places", async () => {
  const tree = await page.evaluate(async (files) => {
    const tree = library.openTree(filesOf(files));
    const shape = await tree.syntaxTree({ path: "src/main.rs", pattern: "greet($A)" });
    const inBash = await tree.syntaxTree({ path: "src/run.sh" });
    const none = await tree.syntaxTree({ path: "trace.log" }).catch((error) => error.message);
    await tree.close();
    return { shape, inBash, none };
  }, FILES);
  const { language, text, nodes, matches } = tree.shape;
  const lit = nodes.filter((node) => node.match);
  assert.deepEqual([language, text, matches, lit.length], ["rust", FILES["src/main.rs"], 1, 1]);
  assert.equal(text.slice(lit[0].start, lit[0].end), 'greet("wörld")');
  assert.equal(tree.inBash.language, "bash");
  assert.equal(tree.none, "There is no grammar for this file.");
  assert.deepEqual((await local.syntaxTree({ path: "src/main.rs", pattern: "greet($A)" })).nodes, nodes);
});

test("what a person edits in a picked folder is seen after a refresh, and a new file too", async () => {
  const said = await page.evaluate(async () => {
    const root = await picked("edited", { "a.txt": "one\n", "b/c.txt": "two\n" });
    const tree = library.openTree(root);
    const count = () => tree.search({ pattern: "one|new", mode: "count" });
    const before = await count();
    await write(root, "b/c.txt", "one\none\n");
    await write(root, "d/e.txt", "new\n");
    await root.removeEntry("a.txt");
    tree.refresh();
    const after = await count();
    await tree.close();
    return [before, after];
  });
  assert.match(said[0], /^a\.txt: 1\n/);
  assert.match(said[1], /^b\/c\.txt: 2\nd\/e\.txt: 1\n/);
});

test("a query is aborted at once, and the next one is answered", async () => {
  const said = await page.evaluate(async () => {
    const given = [];
    globalThis.Worker = class extends Worker {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", ({ data }) => given.push(data));
      }
    };
    const line = "lorem ipsum dolor sit amet 0123456789\n".repeat(2_000);
    const tree = library.openTree(
      filesOf(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`f${i}.txt`, line + i]))),
    );
    await tree.search({ pattern: "nothing", mode: "count" });
    const outcome = [];
    for (let i = 0; i < 20; i++) {
      const abort = new AbortController();
      const search = tree.search({ pattern: "(?i)x[a-z]*\\d+y", mode: "count" }, abort.signal);
      if (i % 2) await new Promise((done) => setTimeout(done, i));
      abort.abort();
      outcome.push(await search.catch((error) => error.message));
    }
    const next = await tree.search({ pattern: "399$", mode: "count" });
    const late = AbortSignal.abort();
    outcome.push(await tree.search({ pattern: "a" }, late).catch((error) => error.message));
    await tree.close();
    const closed = await tree.search({ pattern: "a" }).catch((error) => error.message);
    return { outcome, next, closed, unanswered: given.filter(({ answer }) => !answer).length };
  });
  // one that was not aborted at once may have been answered before
  said.outcome.forEach((text, i) => assert.match(text, i % 2 ? /^Aborted\.$|^No match/ : /^Aborted\.$/));
  assert.match(said.next, /^f399\.txt: 1\n/);
  assert.equal(said.closed, "Aborted.");
  // the worker heard of it: those that were aborted before it began were not even begun
  assert.ok(said.unanswered >= 10, `${said.unanswered} of 20 were given up`);
});

test("a path that leaves the tree is refused", async () => {
  const said = await page.evaluate(async () => {
    const refused = (path) => {
      const tree = library.openTree(new Map([[path, new Uint8Array()]]));
      return tree.findFiles({}).catch((error) => error.message);
    };
    return Promise.all(["../a", "/a", "a//b"].map(refused));
  });
  for (const text of said) assert.match(text, /is no path of a file in a tree/);
});

test("nothing was said to the console and nothing asked of another host", () => site.checkQuiet());
