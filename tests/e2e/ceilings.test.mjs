// Ceilings on the real `opencode serve`: they hold in the middle of a turn, too, whatever the agent does.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { gamer, steps } from "../model/scripts.mjs";
import { silence, text, todos, tool, usage } from "../model/server.mjs";
import { stage } from "./lib.mjs";

const it = await stage();
after(() => it.close());

/** One turn without an end: it reads another part of a file with each request, 1,000 tokens at a time. */
const endless = (ctx) =>
  ctx.todos?.length
    ? [
        tool("bash", { command: `echo ${ctx.messages.length}`, description: "Says a number" }),
        usage(900, 100),
      ]
    : [todos([["step 1", "pending"]]), usage(900, 100)];

/** The mission under these rules, stopped, with nothing sent after it. */
async function stopped(name, script, rules, config = {}) {
  const client = await it.project(name, { options: { mission: rules }, config });
  const mission = await it.mission(script, { client });
  const verdict = await mission.verdict(120_000);
  await mission.quiet();
  return { mission, verdict };
}

describe("ceilings", { concurrency: 4 }, () => {
  test("a stream that says nothing more is cut when the minutes are used up", async () => {
    const script = (ctx) => (ctx.turn === 1 ? steps(2)(ctx) : [text("Let me"), silence()]);
    const { mission, verdict } = await stopped("minutes", script, { maxMinutes: 1 });
    assert.equal(verdict, "stopped: 1 min of active time used (mission.maxMinutes)");
    const error = await mission.event("session.error");
    assert.equal(error.properties.error.name, "MessageAbortedError");
  });

  test("a turn of many steps is cut when the tokens are used up", async () => {
    const { mission, verdict } = await stopped("tokens", endless, { maxTokens: 10_000 });
    assert.equal(verdict, "stopped: 10000 tokens used (mission.maxTokens)");
    assert.equal(await mission.turns(), 1);
    const asked = mission.requests.length;
    assert.ok(asked >= 10 && asked <= 12, `${asked} requests`);
  });

  test("...or the money", async () => {
    // a dollar for a million tokens: each step costs a tenth of a cent
    const models = { main: { cost: { input: 1, output: 1 } } };
    const { mission, verdict } = await stopped(
      "cost",
      endless,
      { maxCostUsd: 0.01 },
      { provider: { scripted: { models } } },
    );
    assert.equal(verdict, "stopped: 0.01 US dollars spent (mission.maxCostUsd)");
    const asked = mission.requests.length;
    assert.ok(asked >= 10 && asked <= 12, `${asked} requests`);
  });

  test("continuations, and those without a newly finished todo, are counted", async () => {
    const iterations = await stopped("iterations", steps(9), { maxIterations: 3 });
    assert.equal(iterations.verdict, "stopped: 3 continuations used (mission.maxIterations)");
    assert.equal(await iterations.mission.turns(), 4);
    const rules = { maxWithoutProgress: 2, maxStagnant: 100 };
    const { mission, verdict } = await stopped("progress", gamer(), rules);
    assert.match(
      verdict,
      /^stopped: 2 continuations without a newly finished todo \(mission\.maxWithoutProgress\)$/,
    );
    assert.equal(await mission.turns(), 3);
  });
});
