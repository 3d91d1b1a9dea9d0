// Providers that fail in the middle of a mission, on the real `opencode serve`. The missions run side by side, since
// most of their time is spent waiting: OpenCode's own retries, and then ours.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { failing, outage, steps } from "../model/scripts.mjs";
import {
  contextOverflow,
  malformed,
  outOfQuota,
  rateLimited,
  reset,
  serverError,
  status,
  text,
  unauthorized,
  usage,
} from "../model/server.mjs";
import { stage } from "./lib.mjs";

const it = await stage();
after(() => it.close());

const inTurn = (turn) => (ctx) => ctx.turn === turn && ctx.step === 0;
const COMPLETE = /^complete: all \d+ todos are done$/;

/** Fails from the second turn on until OpenCode has given up: then a mission is on its own. */
async function givenUp(fail, options = {}) {
  const provider = { down: true };
  const script = (ctx) => (provider.down && ctx.turn > 1 ? fail(ctx) : steps(2)(ctx));
  const mission = await it.mission(script, options);
  const error = await mission.event("session.error", undefined, { timeoutMs: 60_000 });
  return { mission, provider, error };
}

describe("faults", { concurrency: 8 }, () => {
  test("429 for two minutes: outlived, without a storm", async () => {
    const mission = await it.mission(outage(120_000, { after: 4, inner: steps(3) }));
    assert.match(await mission.verdict(240_000), COMPLETE);
    const refused = mission.requests.filter((r) => r.reply?.[0].kind === "status");
    assert.ok(refused.at(-1).time - refused[0].time > 60_000);
    assert.ok(refused.length >= 7 && refused.length <= 20, `${refused.length} requests`);
  });

  for (const [name, fault] of Object.entries({
    429: () => rateLimited(1),
    "429 of a used-up quota": outOfQuota,
    500: serverError,
    "a reset connection": reset,
    "a connection reset in the stream": () => [text("Half an"), reset()],
  })) {
    test(`peers 4: ${name}, once: OpenCode's own retry is the cure, the mission adds nothing`, async () => {
      const mission = await it.mission(failing(fault, { inner: steps(2), when: inTurn(2) }));
      assert.match(await mission.verdict(), COMPLETE);
      assert.equal(await mission.turns(), 3);
      assert.equal(mission.requests.length, 7);
    });
  }

  test("peers 4: when OpenCode gives up, the mission waits, says so, and goes on", async () => {
    const { mission, provider, error } = await givenUp(() => rateLimited(1));
    provider.down = false;
    assert.equal(error.properties.error.data.statusCode, 429);
    const sent = mission.requests.length;
    assert.match(
      await mission.toast(/Next try/),
      /^rate limited by the provider: Rate limit.+\. Next try in 1\d s$/,
    );
    await mission.asked(sent + 1);
    const waited = mission.requests[sent].time - error.at;
    assert.ok(waited >= 11_000 && waited <= 21_000, `${waited} ms`);
    assert.match(await mission.verdict(), COMPLETE);
    assert.match(mission.requests[sent].user, /The work was interrupted/);
    assert.equal(mission.requests[sent].agent, "commander");
  });

  test("retry-after is honoured, by OpenCode and by the mission", async () => {
    const quick = status(429, { message: "Rate limit reached", headers: { "retry-after-ms": "200" } });
    let left = 5; // of OpenCode's own retries
    const { mission, provider, error } = await givenUp(() => (left-- > 0 ? quick : rateLimited(24)));
    provider.down = false;
    const sent = mission.requests.length;
    await mission.toast(/Next try in 24 s$/);
    await mission.asked(sent + 1);
    assert.ok(mission.requests[sent].time - error.at >= 23_900);
    assert.match(await mission.verdict(), COMPLETE);
  });

  test("an outage counts against the ceilings", async () => {
    const client = await it.project("minute", { options: { mission: { maxMinutes: 1 } } });
    const { mission } = await givenUp(() => rateLimited(1), { client });
    assert.match(
      await mission.verdict(120_000),
      /^stopped: 1 min of active time used \(mission\.maxMinutes\)$/,
    );
  });

  test("a malformed chunk, which OpenCode does not retry: the mission goes on", async () => {
    const mission = await it.mission(failing(() => malformed(), { inner: steps(2), when: inTurn(2) }));
    assert.match(await mission.toast(/Next try/), /^turn failed: .+ Next try in .+ m?s$/);
    assert.match(await mission.verdict(), COMPLETE);
    assert.equal(await mission.turns(), 4);
  });

  test("malformed chunks for ever: stopped after four, with the reason", async () => {
    const mission = await it.mission((ctx) => (ctx.turn === 1 ? steps(2)(ctx) : malformed()));
    assert.match(await mission.verdict(), /^stopped after 4 failed turns: turn failed: .*JSON/);
    assert.equal(mission.requests.filter((r) => r.reply[0].kind === "malformed").length, 4);
  });

  test("401: stopped at once, with the reason, and without another request", async () => {
    const mission = await it.mission((ctx) => (ctx.turn === 1 ? steps(2)(ctx) : unauthorized()));
    assert.equal(await mission.verdict(), "stopped: refused: 401: Incorrect API key provided");
    await mission.quiet();
    assert.equal(mission.requests.filter((r) => r.reply[0].kind === "status").length, 1);
  });

  for (const [name, place, script] of /** @type {const} */ ([
    [
      "the context overflows",
      {},
      failing(contextOverflow, { inner: steps(4), when: (ctx) => ctx.todos?.[0].status === "completed" }),
    ],
    [
      "OpenCode compacts before an overflow",
      { context: 20_000, output: 2_000 },
      (ctx) => {
        const full = ctx.step === 1 && ctx.todos?.filter((t) => t.status === "completed").length === 1;
        return [steps(4)(ctx), full ? usage(19_500, 10) : usage(100, 10)].flat();
      },
    ],
  ])) {
    test(`peers 8: ${name}: mission, todos and agent survive`, async () => {
      const limit = { context: 200_000, output: 8_000, ...place };
      const client = await it.project(`window-${limit.context}`, {
        config: { provider: { scripted: { models: { main: { limit } } } } },
      });
      const mission = await it.mission(script, { objective: "Keep <this> in mind.", client });
      assert.equal(await mission.verdict(), "complete: all 4 todos are done");
      const compactions = it.model.requests.filter(
        (r) => r.session === mission.id && r.kind === "compaction",
      );
      assert.equal(compactions.length, 1);
      const asked = JSON.stringify(compactions[0].body.messages.at(-1));
      assert.match(asked, /<objective>Keep &lt;this&gt; in mind\.<\/objective>/);
      assert.match(
        asked,
        /<todo status=\\"completed\\">step 1<\/todo>\\n<todo status=\\"pending\\">step 2<\/todo>/,
      );
      const later = mission.requests.filter((r) => r.time > compactions[0].time);
      assert.ok(later.length >= 4);
      for (const request of later) assert.equal(request.agent, "commander", request.user);
    });
  }
});

test("peers 26: every fault is told in words", () => {
  for (const toast of it.toasts()) assert.doesNotMatch(toast, /\[object|undefined|null/);
});
