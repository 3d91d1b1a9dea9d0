// The recorded journal gives the same bytes in OpenCode's own runtime and in Node as it does natively (tests/common).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { opencodeBin } from "../../tools/opencode-bin.mjs";

const at = (path) => new URL(`../../${path}`, import.meta.url).pathname;
const PROGRAM = `
  import { readFileSync, writeSync } from "node:fs";
  import { instantiate } from ${JSON.stringify(at("target/wasm/engine/glue.js"))};
  const glue = instantiate(queueMicrotask);
  glue.initSync({ module: readFileSync(${JSON.stringify(at("pkg/engine.wasm"))}) });
  process.stdout.write(glue.replay(readFileSync(${JSON.stringify(at("tests/fixtures/mission.ndjson"))}, "utf8")));
`;
const expected = readFileSync(at("tests/fixtures/mission.effects.ndjson"), "utf8");
const options = { encoding: "utf8", maxBuffer: 1 << 28 };

test("a recorded journal replays to the same bytes in OpenCode's own runtime", () => {
  const env = { ...process.env, BUN_BE_BUN: "1" };
  const out = execFileSync(opencodeBin(), ["-e", PROGRAM], { ...options, env });
  assert.ok(expected.length > 1_000);
  assert.equal(out, expected);
});

test("a recorded journal replays to the same bytes in Node", () => {
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", PROGRAM], options);
  assert.equal(out, expected);
});
