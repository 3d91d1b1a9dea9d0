import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDataFile, dataFileOf, HEAD_BYTES } from "./data";

const id = Uint8Array.from({ length: HEAD_BYTES }, (_, n) => n);
const name = "data file";
const contents = [name.length, ...Buffer.from(name), ...id, 0, 0, 16, 0, 7, 1, 0, 0];
const module = new WebAssembly.Module(
  Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 0, contents.length, ...contents),
);

test("a module's data file is known by its id and length", () => {
  const file = dataFileOf(module);
  assert.ok(file);
  assert.deepEqual([file.from, file.length], [1 << 20, 263]);
  checkDataFile(file, id, HEAD_BYTES + 263);
  assert.throws(() => checkDataFile(file, id, HEAD_BYTES + 262), /Install the package again/);
  assert.throws(() => checkDataFile(file, new Uint8Array(HEAD_BYTES), HEAD_BYTES + 263), /version/);
});

test("a module that has its data in it has no such file", () => {
  assert.equal(dataFileOf(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))), undefined);
});
