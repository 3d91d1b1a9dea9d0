import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { RawToolCall } from "../generated/contract";
import { toolCall } from "../tools";
import { Edits } from "./edits";

type Request = { method: string; args: Record<string, unknown> };

/** Edits over a folder with one file, and a module that answers with what it was asked. */
function stage(t: { after(done: () => void): void }, answer?: (signal?: AbortSignal) => Promise<never>) {
  const dir = mkdtempSync(join(tmpdir(), "edits-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "a.ts");
  writeFileSync(file, "before");
  const asked: Request[] = [];
  const edits = new Edits(dir, {
    async request(method, args, signal) {
      asked.push({ method, args });
      if (answer) return answer(signal);
      return { text: "", data: { errors: [`a.ts:1:1: ${String(args["after"])}`], baseline: ["base"] } };
    },
  });
  const edit = async (call: string, after: string, args: unknown = { filePath: file }) => {
    edits.begin("s", "edit", call, args);
    writeFileSync(file, after);
    const raw: RawToolCall = toolCall(dir, { tool: "edit", callID: call, args: { filePath: file } }, {});
    await edits.end("s", raw);
    return raw.writes[0]?.errors;
  };
  return { dir, file, asked, edit };
}

test("the first edit is held against the text before, later ones against the first answer's baseline", async (t) => {
  const { asked, edit } = stage(t);
  assert.deepEqual(await edit("1", "one"), ["a.ts:1:1: one"]);
  assert.deepEqual(await edit("2", "two"), ["a.ts:1:1: two"]);
  assert.deepEqual(
    asked.map(({ args }) => args),
    [
      { path: "a.ts", after: "one", before: "before" },
      { path: "a.ts", after: "two", baseline: ["base"] },
    ],
  );
});

test("a patch names its files in its text", async (t) => {
  const { asked, edit } = stage(t);
  await edit("1", "one", { patchText: "*** Begin Patch\n*** Update File: a.ts\n@@\n" });
  assert.equal(asked[0]?.args["before"], "before");
});

test("a module that fails, or does not answer in time, costs nothing but the answer", async (t) => {
  const failing = stage(t, () => Promise.reject(new Error("trap")));
  assert.equal(await failing.edit("1", "one"), null);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const silent = stage(
    t,
    (signal) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new Error("Aborted.")));
        queueMicrotask(() => t.mock.timers.tick(60_000));
      }),
  );
  assert.equal(await silent.edit("1", "one"), null);
});
