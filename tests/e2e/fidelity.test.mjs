// The simulator's OpenCode is the real one: each script of tests/fidelity/ is played on both, and what the plugin heard of
// every session and did in it must be the same, in the same order.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { after, describe, test } from "node:test";
import { instantiate } from "../../target/wasm/engine/glue.js";
import { playReal, streams } from "./fidelity.mjs";
import { stage } from "./lib.mjs";

const at = (path) => new URL(`../../${path}`, import.meta.url).pathname;
const SCRIPTS = "tests/fidelity/";
/** `cargo build --features sim --example fidelity` makes it. */
const FAKE = at("target/debug/examples/fidelity");
/** Every script's: what follows a turn comes when that is over, and not in a race with its end. */
const OPTIONS = { mission: { settleMs: 400 } };

const it = await stage({
  options: OPTIONS,
  config: { permission: { bash: { "*": "allow", "git status": "ask" } } },
  env: { OPENCODE_ENABLE_QUESTION_TOOL: "1" },
});
after(() => it.close());
const glue = instantiate(queueMicrotask);
glue.initSync({ module: readFileSync(at("pkg/engine.wasm")) });

describe("the same script on the real OpenCode and on the simulated one", { concurrency: 3 }, () => {
  for (const file of readdirSync(at(SCRIPTS))) {
    const script = JSON.parse(readFileSync(at(SCRIPTS + file), "utf8"));
    /** Leaves out what the script says may differ, each with its reason. */
    const without = (streams) =>
      Object.fromEntries(
        Object.entries(streams).map(([name, tokens]) => [
          name,
          tokens.filter((token) => !(token in (script.differs ?? {}))),
        ]),
      );
    test(script.about, async () => {
      const place = script.config && (await it.project(file, { options: OPTIONS, config: script.config }));
      const real = streams(await playReal(it, script, place ?? it.client), glue.replay);
      const input = JSON.stringify({ options: OPTIONS, ...script });
      const fake = execFileSync(FAKE, { input, encoding: "utf8" });
      assert.ok(real["mission: root"]?.length > 8, "the real one was heard");
      assert.deepEqual(without(streams(JSON.parse(fake), glue.replay)), without(real));
    });
  }
});
