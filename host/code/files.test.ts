// A folder's files as the module reads them.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NodeFiles } from "./files";
import { newHandle } from "./watch/handles";

test("what is read piece by piece is one file, whatever takes its name meanwhile, and none stays open", (t) => {
  const root = mkdtempSync(join(tmpdir(), "files-"));
  t.after(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, "a"), "one two.");
  writeFileSync(join(root, "b"), "ONE TWO.");
  const files = new NodeFiles(root, newHandle());
  const open = () => readdirSync("/dev/fd").length;
  const before = open();
  const into = new Uint8Array(4);
  const piece = (path: string, offset: number) => {
    const count = files.read(path, false, offset, into);
    return count < 0 ? count : Buffer.from(into.subarray(0, count)).toString();
  };
  assert.equal(piece("a", 0), "one ");
  renameSync(join(root, "b"), join(root, "a"));
  assert.equal(piece("a", 4), "two.");
  assert.equal(piece("a", 8), "");
  assert.equal(piece("a", 0), "ONE ", "from its beginning it is the file of now");
  assert.equal(piece("gone", 0), -1);
  assert.equal(open(), before);
  assert.equal(piece("a", 0), "ONE ");
  assert.equal(open(), before + 1);
  files.rest(); // the search has seen enough
  assert.equal(open(), before);
});
