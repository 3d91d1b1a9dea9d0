// Files opened ahead, worker's side and scout's side in one thread: who has an open file, and that each is closed once.
import assert from "node:assert/strict";
import {
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { MessagePort } from "node:worker_threads";
import { Opener } from "./ahead";
import { AHEAD_FROM, newBoard } from "./board";
import { NodeFiles } from "./files";
import { ScoutedFiles } from "./scout";
import { newHandle } from "./watch/handles";

const LOT = 64;
const root = mkdtempSync(join(tmpdir(), "ahead-"));
after(() => rmSync(root, { recursive: true }));
const nameOf = (n: number) => `file ${n}`;
for (let n = 0; n < 6 * LOT; n++) writeFileSync(join(root, nameOf(n)), `text ${n}`);

/** Files of the folder that this process has open. */
const openFiles = () =>
  readdirSync("/proc/self/fd").filter((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`).startsWith(`${root}/`);
    } catch {
      return false; // the list itself
    }
  }).length;

function both() {
  const lots: number[] = [];
  const port = { postMessage: (lot: number) => lots.push(lot) } as unknown as MessagePort;
  const memory = newBoard();
  const files = new ScoutedFiles({ root, port, memory }, newHandle(), () => undefined);
  const { scout } = files;
  const theirs = new NodeFiles(root, newHandle());
  const opener = new Opener(memory, AHEAD_FROM, (path) => theirs.open(path, false));
  const into = new Uint8Array(100);
  return {
    files,
    tell: (first: number, names = Array.from({ length: LOT }, (_, n) => nameOf(first + n))) =>
      scout.openAhead(first, Buffer.from(["/", ...names].join("\0"))),
    /** The scout does what it was told. */
    serve: () => lots.splice(0).forEach((lot) => opener.serve(lot)),
    read: (number: number) => {
      const count = scout.readAhead(number, into);
      return count < 0 ? undefined : Buffer.from(into.subarray(0, count)).toString();
    },
    pathOf: (number: number) => scout.pathAhead(number),
  };
}

test("a file that was told is read when it is open, and closed when the scout comes by again", () => {
  const { files, tell, serve, read } = both();
  assert.ok(tell(0));
  assert.equal(read(1), undefined, "not yet");
  serve();
  assert.equal(openFiles(), LOT - 1, "what was asked for too early is not opened");
  assert.equal(read(1), undefined);
  assert.equal(read(2), "text 2");
  assert.equal(read(2), undefined, "once");
  // another file that is read meanwhile does not end it
  assert.equal(files.read(nameOf(300), false, 0, new Uint8Array(100)), 8);
  assert.equal(read(3), "text 3");
  assert.equal(openFiles(), LOT - 2);
  assert.ok(tell(LOT));
  serve();
  assert.equal(openFiles(), 2 * LOT - 3);
  files.rest();
  assert.equal(openFiles(), 0);
  assert.equal(read(4), undefined);
});

test("a lot takes the place of the one four before it, whatever is left there", () => {
  const { files, tell, serve, read, pathOf } = both();
  for (let lot = 0; lot < 6; lot++) {
    assert.ok(tell(lot * LOT));
    serve();
    if (lot > 0) assert.equal(read(lot * LOT - 5), `text ${lot * LOT - 5}`);
  }
  assert.equal(openFiles(), 4 * LOT - 2, "what was read last is yet to be closed");
  assert.equal(read(4), undefined, "it is gone");
  assert.equal(pathOf(4), undefined);
  assert.equal(pathOf(4 * LOT + 4), nameOf(4 * LOT + 4));
  assert.equal(read(4 * LOT + 4), `text ${4 * LOT + 4}`);
  files.rest();
  // in the next search numbers begin anew
  assert.ok(tell(0));
  assert.equal(read(LOT), undefined);
  serve();
  assert.equal(read(4), "text 4");
  files.rest();
  assert.equal(openFiles(), 0);
});

test("a scout that comes too late leaves nothing open", () => {
  const { files, tell, serve, read } = both();
  assert.ok(tell(0));
  files.rest();
  serve();
  assert.equal(openFiles(), 0);
  assert.ok(tell(0));
  assert.ok(tell(LOT));
  assert.ok(tell(2 * LOT));
  assert.ok(tell(3 * LOT));
  assert.ok(tell(4 * LOT));
  serve();
  assert.equal(read(5), undefined);
  assert.equal(read(4 * LOT + 5), `text ${4 * LOT + 5}`);
  files.rest();
  assert.equal(openFiles(), 0);
});

test("what can't be told or opened is left to the worker", () => {
  const { files, tell, serve, read } = both();
  assert.equal(
    tell(
      0,
      Array.from({ length: LOT }, () => "x".repeat(300)),
    ),
    false,
  );
  symlinkSync(join(root, nameOf(0)), join(root, "link"));
  assert.ok(tell(0, ["missing", "link", nameOf(1)]));
  serve();
  assert.equal(read(0), undefined);
  assert.equal(read(1), undefined, "no link is followed");
  assert.equal(read(2), "text 1");
  files.rest();
  assert.equal(openFiles(), 0);
  assert.ok(openSync(join(root, nameOf(0)), "r") > 0);
  assert.equal(openFiles(), 1, "and open files are seen");
});
