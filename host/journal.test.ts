import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { JournalFolder, type Say } from "./journal";

function folder(t: TestContext) {
  const state = mkdtempSync(join(tmpdir(), "journal-"));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const warnings: string[] = [];
  /** What of it the person is told. */
  const told: string[] = [];
  const say: Say = (text, to) => {
    warnings.push(text);
    if (to === "person") told.push(text);
  };
  return { journal: new JournalFolder("/some/project", say, state), state, warnings, told };
}
const bytes = (text: string) => new TextEncoder().encode(text);
const line = { mission: 1, text: bytes(""), replace: false, ended: false };
const files = (journal: JournalFolder) =>
  existsSync(journal.folder) ? readdirSync(journal.folder).sort() : [];

const texts = (journal: JournalFolder) => journal.texts().map(({ text }) => text);

test("a mission's file: started, appended, replaced, put away at its end", (t) => {
  const { journal, warnings } = folder(t);
  journal.write({ ...line, text: bytes("lost\n") }); // no header yet: there is no file
  assert.deepEqual(files(journal), []);
  journal.write({ ...line, text: bytes("head\n"), replace: true });
  journal.write({ ...line, text: bytes("one\n") });
  assert.deepEqual(texts(journal), ["head\none\n"]);
  journal.write({ ...line, text: bytes("shorter\n"), replace: true });
  journal.write({ ...line, text: bytes("two\n") });
  assert.deepEqual(texts(journal), ["shorter\ntwo\n"]);
  journal.write({ ...line, ended: true });
  assert.deepEqual(files(journal), ["done"]);
  assert.equal(readdirSync(join(journal.folder, "done")).length, 1);
  assert.deepEqual(journal.unfinished(), []);
  assert.deepEqual(warnings, []);
});

test("of the ended missions the newest twenty are kept", (t) => {
  const { journal } = folder(t);
  for (let mission = 1; mission <= 25; mission++) {
    journal.write({ ...line, mission, text: bytes("head\n"), replace: true });
    journal.write({ ...line, mission, ended: true });
  }
  assert.equal(readdirSync(join(journal.folder, "done")).length, 20);
});

test("the highest number of a mission is found among the open and the ended ones", (t) => {
  const { journal, state } = folder(t);
  const fresh = () => new JournalFolder("/some/project", assert.fail, state).lastMission();
  assert.equal(fresh(), 0);
  for (const mission of [9, 10]) journal.write({ ...line, mission, text: bytes("head\n"), replace: true });
  journal.write({ ...line, mission: 10, ended: true });
  assert.equal(fresh(), 10);
  for (const name of ["notes-77.txt", "x-99999999999.ndjson", "a-11.ndjson.unreadable", "a-12.ndjson.lock"])
    writeFileSync(join(journal.folder, name), "");
  assert.equal(fresh(), 12);
});

test("peers 11: what a process left behind is found by the next, and goes on in the same file", (t) => {
  const { journal, state } = folder(t);
  mkdirSync(journal.folder, { recursive: true });
  const path = join(journal.folder, "a.ndjson");
  writeFileSync(path, "head\none\n");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(`${path}.lock`, String(dead));
  const next = new JournalFolder("/some/project", assert.fail, state);
  const [found] = next.unfinished();
  assert.ok(found);
  next.adopt(found.path, () => {
    next.write({ ...line, mission: 7, text: bytes("snapshot\n") });
    return true;
  });
  next.write({ ...line, mission: 7, text: bytes("two\n") });
  assert.equal(readFileSync(path, "utf8"), "head\none\nsnapshot\ntwo\n");
  next.close();
  assert.deepEqual(files(next), ["a.ndjson"]);
});

test("peers 11: a torn file is replaced by the snapshot that the engine makes of it", (t) => {
  const { journal } = folder(t);
  mkdirSync(journal.folder, { recursive: true });
  const path = join(journal.folder, "a.ndjson");
  writeFileSync(path, 'head\n{"torn');
  journal.adopt(path, () => {
    journal.write({ ...line, mission: 7, text: bytes("snapshot\n"), replace: true });
    return true;
  });
  assert.equal(readFileSync(path, "utf8"), "snapshot\n");
  journal.close();
});

test("a journal whose mission has ended is put away at the next start", (t) => {
  const { journal } = folder(t);
  mkdirSync(journal.folder, { recursive: true });
  writeFileSync(join(journal.folder, "a.ndjson"), "head\n");
  journal.adopt(join(journal.folder, "a.ndjson"), () => false);
  assert.deepEqual(files(journal), ["done"]);
});

test("a mission that a living process drives is left to it", (t) => {
  const { journal, warnings, told } = folder(t);
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  t.after(() => other.kill("SIGKILL"));
  mkdirSync(journal.folder, { recursive: true });
  writeFileSync(join(journal.folder, "a.ndjson"), "head\n");
  writeFileSync(join(journal.folder, "a.ndjson.lock"), String(other.pid));
  assert.deepEqual(journal.unfinished(), []);
  assert.deepEqual(journal.unfinished(), []);
  assert.equal(warnings.length, 1, "it is said, and once");
  assert.match(warnings[0] ?? "", new RegExp(`a\\.ndjson is left to .* process ${other.pid}$`));
  assert.deepEqual(told, []);
  writeFileSync(join(journal.folder, "a.ndjson.lock"), "not a pid");
  assert.equal(journal.unfinished().length, 1);
});

test("a file that can't be used is put aside and not seen again", (t) => {
  const { journal, told } = folder(t);
  mkdirSync(join(journal.folder, "folder.ndjson"), { recursive: true });
  writeFileSync(join(journal.folder, "b.ndjson"), "PK\u0003\u0004");
  const found = journal.unfinished();
  assert.deepEqual(
    found.map(({ text }) => text),
    ["PK\u0003\u0004"],
  );
  journal.adopt(found[0]?.path ?? "", () => {
    throw new Error("not a mission journal");
  });
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? "",
    /^A mission can't be taken up again: not a mission journal. .*b\.ndjson\.unreadable$/,
  );
  assert.deepEqual(journal.unfinished(), []);
  assert.ok(files(journal).includes("b.ndjson.unreadable"));
});

test("where nothing can be written there is one warning, and no throw", (t) => {
  const { journal, state, warnings, told } = folder(t);
  writeFileSync(join(state, "opencode"), "a file where a folder should be");
  for (let i = 0; i < 3; i++) journal.write({ ...line, text: bytes("head\n"), replace: true });
  journal.write({ ...line, ended: true });
  journal.close();
  assert.equal(warnings.length, 1);
  assert.match(told[0] ?? "", /journal can't be written/);
  assert.deepEqual(journal.unfinished(), []);
});

test("peers 25: two projects of one name have a folder each, below the state folder", (t) => {
  const { state } = folder(t);
  const at = (directory: string) => new JournalFolder(directory, assert.fail, state).folder;
  assert.notEqual(at("/a/app"), at("/b/app"));
  assert.equal(at("/a/app"), at("/a/app"));
  assert.ok(at("/a/we ird/näme").startsWith(join(state, "opencode", "orchestrator")));
});

/** A disk that takes only so many more bytes, and may not even take a file's end back. */
function fullDisk(t: TestContext, { room, keeps }: { room: number; keeps: boolean }): { room: number } {
  const disk = { room };
  const write = fs.writeSync as (fd: number, text: Uint8Array, offset: number, length: number) => number;
  t.mock.method(fs, "writeSync", (fd: number, text: Uint8Array, from = 0) => {
    const fits = Math.min(text.length - from, disk.room);
    if (fits <= 0) throw new Error("ENOSPC: no space left on device, write");
    disk.room -= fits;
    return write(fd, text, from, fits);
  });
  if (keeps)
    t.mock.method(fs, "ftruncateSync", () => {
      throw new Error("EIO: i/o error, ftruncate");
    });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return disk;
}

test("a full disk leaves no part of a line behind, and it is told once", (t) => {
  const { journal, told } = folder(t);
  const disk = fullDisk(t, { room: 12, keeps: false });
  journal.write({ ...line, text: bytes("head\n"), replace: true });
  for (let i = 0; i < 3; i++) journal.write({ ...line, text: bytes("too long a line\n") });
  assert.deepEqual(texts(journal), ["head\n"]);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /can't be written.*ENOSPC/);
  disk.room = 3;
  journal.write({ ...line, text: bytes("a snapshot of now\n"), replace: true });
  assert.deepEqual(texts(journal), ["head\n"], "the file that can't be replaced stays");
  assert.deepEqual(
    files(journal).filter((name) => name.endsWith(".new")),
    [],
  );
  disk.room = 100;
  journal.write({ ...line, text: bytes("there is room again\n") });
  assert.deepEqual(texts(journal), ["head\nthere is room again\n"]);
  journal.write({ ...line, text: bytes("new\n"), replace: true });
  journal.write({ ...line, text: bytes("one\n") });
  assert.deepEqual(texts(journal), ["new\none\n"]);
  assert.equal(told.length, 1);
});

test("a part of a line that can't be taken back is the file's end until it is replaced", (t) => {
  const { journal } = folder(t);
  const disk = fullDisk(t, { room: 8, keeps: true });
  journal.write({ ...line, text: bytes("head\n"), replace: true });
  journal.write({ ...line, text: bytes("one of it\n") });
  disk.room = 100;
  journal.write({ ...line, text: bytes("two\n") });
  assert.deepEqual(texts(journal), ["head\none"]);
  journal.write({ ...line, text: bytes("new\n"), replace: true });
  journal.write({ ...line, text: bytes("three\n") });
  assert.deepEqual(texts(journal), ["new\nthree\n"]);
});
