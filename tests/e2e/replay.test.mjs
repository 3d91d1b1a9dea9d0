// Journals give the same bytes in OpenCode's own runtime and in Node as they do natively: the recorded one (tests/common),
// and those of simulated missions, which the native tests wrote (tests/replay.rs).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { opencodeBin } from "../../tools/opencode-bin.mjs";

const at = (path) => new URL(`../../${path}`, import.meta.url).pathname;
/** Replays each journal that it is given and prints the names of those whose effects are not the expected bytes. */
const PROGRAM = `
  import { readFileSync } from "node:fs";
  import { instantiate } from ${JSON.stringify(at("target/wasm/engine/glue.js"))};
  const glue = instantiate(queueMicrotask);
  glue.initSync({ module: readFileSync(${JSON.stringify(at("pkg/engine.wasm"))}) });
  const pairs = JSON.parse(readFileSync(0, "utf8"));
  const differ = pairs.filter(([journal, effects]) =>
    !Buffer.from(glue.replay(readFileSync(journal, "utf8"))).equals(readFileSync(effects)));
  process.stdout.write(JSON.stringify({ runtime: globalThis.Bun ? "bun" : "node", count: pairs.length, differ }));
`;

function pairs() {
  const count = at("target/replay/count");
  assert.ok(existsSync(count), `${count} is missing: cargo test --features sim --test replay writes it`);
  const simulated = Array.from({ length: Number(readFileSync(count, "utf8")) }, (_, n) => [
    at(`target/replay/${n}.ndjson`),
    at(`target/replay/${n}.effects`),
  ]);
  assert.ok(simulated.length >= 40);
  return [[at("tests/fixtures/mission.ndjson"), at("tests/fixtures/mission.effects.ndjson")], ...simulated];
}

for (const [runtime, program, args, env] of [
  ["bun", opencodeBin(), ["-e", PROGRAM], { BUN_BE_BUN: "1" }],
  ["node", process.execPath, ["--input-type=module", "-e", PROGRAM], {}],
]) {
  const place = runtime === "bun" ? "OpenCode's own runtime" : "Node";
  test(`recorded and simulated journals replay to the same bytes in ${place}`, () => {
    const input = JSON.stringify(pairs());
    const options = { input, encoding: /** @type {const} */ ("utf8"), env: { ...process.env, ...env } };
    const out = JSON.parse(execFileSync(program, args, options));
    assert.deepEqual(out, { runtime, count: pairs().length, differ: [] });
  });
}
