// The person's hand on a mission, on the real `opencode serve`: abort, /stop, messages, permissions, questions.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, describe, test } from "node:test";
import { steps } from "../model/scripts.mjs";
import { forever, rateLimited, silence, status, text, tool } from "../model/server.mjs";
import { stage } from "./lib.mjs";

const it = await stage({
  config: { permission: { bash: { "*": "ask", "sleep *": "allow" } } },
  env: { OPENCODE_ENABLE_QUESTION_TOOL: "1" },
});
after(() => it.close());
const settling = await it.project("settling", { options: { mission: { settleMs: 2_000 } } });

/** What `look` finds, once it finds something and does not throw. */
async function eventually(look, timeoutMs = 30_000) {
  for (const end = Date.now() + timeoutMs; ;) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => undefined);
    if (found) return found;
    assert.ok(Date.now() < end, `not within ${timeoutMs / 1000} s: ${look}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

function lives(pid) {
  try {
    process.kill(pid, 0);
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8")); // a zombie is dead
  } catch {
    return false;
  }
}

const DONE = "complete: all 2 todos are done";
/** Plans in the first turn; what comes in the second and later ones is `then`. */
const planned = (then) => (ctx) => (ctx.turn === 1 ? steps(2)(ctx) : [then(ctx)].flat());
const bash = (command) => tool("bash", { command, description: "Run it" });
const question = () =>
  tool("question", {
    questions: [
      { question: "Which one?", header: "Choice", options: [{ label: "A", description: "the first" }] },
    ],
  });

/** Missions brought to a moment in which nothing is decided yet. */
const MOMENTS = {
  async "while the model streams"() {
    const mission = await it.mission(planned(() => forever()));
    await mission.asked((r) => r.turn === 2);
    await mission.event("message.part.delta", (p) => p.delta?.startsWith("word"));
    return mission;
  },
  async "before the model's first word"() {
    const mission = await it.mission(planned(() => silence()));
    await mission.asked((r) => r.turn === 2);
    return mission;
  },
  async "while a tool runs"() {
    const mission = await it.mission(planned(() => bash("sleep 60")));
    await mission.event(
      "message.part.updated",
      (p) => p.part.tool === "bash" && p.part.state.status === "running",
    );
    return mission;
  },
  async "during OpenCode's own retry"() {
    const mission = await it.mission(planned(() => rateLimited(60)));
    await mission.event("session.status", (p) => p.status.type === "retry");
    return mission;
  },
  async "during the mission's back-off"() {
    // OpenCode's own retries are over at once, and the mission's first wait is long: nothing here can come too late for it
    const failing = () => status(500, { headers: { "retry-after-ms": "1" } });
    const mission = await it.mission(planned(failing));
    const error = await mission.event("session.error");
    const first = await mission.idle(it.client.events.list.indexOf(error) + 1);
    await mission.idle(it.client.events.list.indexOf(first) + 1); // a failed turn ends twice, some 50 ms apart
    return Object.assign(mission, { window: 20_000 }); // longer than that wait: 15 s ± 25 %
  },
  async "between two turns"() {
    const mission = await it.mission(steps(2), { client: settling });
    await mission.idle();
    return mission;
  },
};

/** Nothing is sent now; after the person's next word the mission goes on to its end. */
async function pausedUntilSpokenTo(mission) {
  await mission.toast(/^paused/);
  await mission.settled();
  await mission.quiet(mission.window);
  const sent = mission.requests.length;
  mission.script = steps(2);
  await mission.say("Please go on.");
  assert.equal(await mission.verdict(), DONE);
  assert.equal(mission.requests[sent].user, "Please go on.");
  await mission.turns();
}

describe("peers 2: abort", { concurrency: 4 }, () => {
  for (const [moment, reach] of Object.entries(MOMENTS)) {
    test(`${moment}: nothing is sent until the person speaks`, async () => {
      const mission = await reach();
      await mission.abort();
      await pausedUntilSpokenTo(mission);
    });
  }
});

describe("peers 2: /stop and /cancel", { concurrency: 4 }, () => {
  for (const [moment, reach] of Object.entries(MOMENTS)) {
    test(`${moment}: the mission ends, and only the command is answered`, async () => {
      const mission = await reach();
      const sent = mission.requests.length;
      mission.script = () => text("Stopped.");
      await mission.command("stop");
      assert.equal(await mission.verdict(), "stopped by you");
      await mission.quiet(mission.window);
      assert.equal(mission.requests.length, sent + 1);
      assert.match(mission.requests.at(-1).user, /^Mission \d+: stopped by you/);
    });
  }

  test("while the completion command runs: that is stopped too, with what it started", async () => {
    const client = await it.project("checked", {
      options: { completion: { command: "sleep 300 & echo $! > pid; wait" } },
    });
    const mission = await it.mission(steps(2), { client });
    const pid = await eventually(async () => Number(await readFile(`${client.directory}/pid`, "utf8")));
    const sent = mission.requests.length;
    mission.script = () => text("Stopped.");
    await mission.command("stop");
    assert.equal(await mission.verdict(), "stopped by you");
    await eventually(() => !lives(pid));
    await mission.quiet();
    assert.equal(mission.requests.length, sent + 1);
  });

  test("a paused mission ends too", async () => {
    const mission = await MOMENTS["before the model's first word"]();
    await mission.abort();
    await mission.toast(/^paused/);
    mission.script = () => text("Cancelled.");
    await mission.command("cancel");
    assert.equal(await mission.verdict(), "stopped by you");
    await mission.say("And now?");
    await mission.asked((r) => r.user === "And now?");
    await mission.settled();
    await mission.quiet();
  });
});

describe("the person's words", { concurrency: 4 }, () => {
  test("peers 4: a message right after idle comes first, and the mission goes on after it", async () => {
    const mission = await MOMENTS["between two turns"]();
    await mission.say("Use tabs.");
    assert.equal(await mission.verdict(), DONE);
    const prompts = await mission.prompts();
    assert.equal(prompts[1], "Use tabs.");
    assert.equal(prompts.length, 3); // that turn finished a todo, so one continuation was left to send
    await mission.turns();
  });

  for (const [place, word] of /** @type {const} */ ([
    ["in the middle", "Working"],
    ["at the end", "Finished"],
  ])) {
    test(`peers 5: a message ${place} of a turn is answered before the mission goes on`, async () => {
      const mission = await it.mission(steps(3, { gapMs: 200 }));
      await mission.event("message.part.delta", (p) => p.delta?.startsWith(word));
      await mission.say("Use tabs.");
      assert.equal(await mission.verdict(), "complete: all 3 todos are done");
      const prompts = await mission.prompts();
      assert.equal(prompts[2], "Use tabs."); // the second turn was under way
      assert.ok(mission.requests.some((r) => r.user.includes("Use tabs.")));
      await mission.turns();
    });
  }

  test("peers 9: /task in the middle of an ordinary turn starts when that is over", async () => {
    const talk = text("I will tell you a long story about it.", { gapMs: 200 });
    const session = await it.session((ctx) => (ctx.turn === 1 ? talk : steps(2)(ctx)));
    await session.say("Tell me.");
    await session.event("message.part.delta");
    session.command("task", "Do the work.");
    assert.equal(await session.verdict(), DONE);
    const prompts = await session.prompts();
    assert.match(prompts[1], /^<mission id="\d+">\n<objective>/);
    assert.equal(prompts.length, 4);
    await session.turns();
  });

  test("a message during the back-off ends the wait", async () => {
    const mission = await MOMENTS["during the mission's back-off"]();
    mission.script = steps(2);
    const sent = mission.requests.length;
    await mission.say("The provider is back.");
    assert.equal(await mission.verdict(), DONE);
    assert.equal(mission.requests[sent].user, "The provider is back.");
    await mission.turns();
  });

  test("/mission and a compaction do not wake a paused mission", async () => {
    const mission = await MOMENTS["before the model's first word"]();
    await mission.abort();
    await mission.toast(/^paused/);
    mission.script = () => text("Here it is.");
    await mission.command("mission");
    assert.match(mission.requests.at(-1).user, /^Mission \d+: paused\n/);
    await it.client.summarize(mission.id);
    await pausedUntilSpokenTo(mission);
  });

  test("peers 8: a compaction between two turns is waited for, and then the mission goes on", async () => {
    const mission = await MOMENTS["between two turns"]();
    await settling.summarize(mission.id);
    assert.equal(await mission.verdict(), DONE);
    const compaction = it.model.requests.find((r) => r.session === mission.id && r.kind === "compaction");
    for (const request of mission.requests.filter((r) => r.time > compaction.time)) {
      assert.ok(request.time >= compaction.ended);
      assert.equal(request.agent, "commander");
    }
  });

  test("/mission between two turns is answered, and the mission goes on", async () => {
    const mission = await MOMENTS["between two turns"]();
    await mission.command("mission");
    assert.equal(await mission.verdict(), DONE);
    await mission.turns();
  });

  for (const moment of /** @type {const} */ (["while the model streams", "between two turns"])) {
    test(`a new /task ${moment} takes the place of the old one`, async () => {
      const mission = await MOMENTS[moment]();
      const old = await mission.number();
      const sent = mission.requests.length;
      mission.script = (ctx) =>
        ctx.user.includes("Something else.") && ctx.step === 0 ? more(ctx) : steps(2)(ctx);
      const more = (ctx) =>
        ctx.todos?.some((t) => t.status !== "completed") ? steps(2)(ctx) : text("Ready.");
      mission.command("task", "Something else.");
      await mission.toast(/^replaced by a new \/task$/, { number: old });
      await mission.asked(sent + 1);
      const now = Number(/<mission id="(\d+)"/.exec(mission.requests[sent].user)?.[1]);
      assert.ok(now > old);
      await mission.toast(/^complete: /, { number: now });
      assert.ok(
        mission.requests.slice(sent).every((r) => !r.user.includes(`<mission id="${old}" iteration`)),
      );
      await mission.turns();
    });
  }

  for (const moment of /** @type {const} */ (["while the model streams", "between two turns"])) {
    test(`a session deleted ${moment} ends its mission`, async () => {
      const mission = await MOMENTS[moment]();
      await mission.number();
      await mission.client.deleteSession(mission.id);
      await mission.toast(/^ended: its session was deleted$/);
      await mission.quiet();
    });
  }
});

describe("what waits for the person", { concurrency: 4 }, () => {
  /** A mission whose second turn asks the person something. */
  async function asking(part, event) {
    const mission = await it.mission((ctx) =>
      ctx.turn === 2 && ctx.step === 0 ? [text("May I?"), part] : steps(2)(ctx),
    );
    const { properties } = await mission.event(event);
    await mission.quiet();
    return { mission, request: properties.id };
  }
  const permission = () => asking(bash("echo hello"), "permission.asked");

  test("a permission: no prompt until it is given", async () => {
    const { mission, request } = await permission();
    await it.client.replyPermission(request, "once");
    assert.equal(await mission.verdict(), DONE);
    assert.ok(mission.requests.some((r) => r.messages.at(-1).content?.includes?.("hello")));
    await mission.turns();
  });

  test("a permission refused: the mission pauses", async () => {
    const { mission, request } = await permission();
    await it.client.replyPermission(request, "reject");
    await pausedUntilSpokenTo(mission);
  });

  test("a permission refused with a word: the agent reads it and goes on", async () => {
    const { mission, request } = await permission();
    await it.client.replyPermission(request, "reject", "Use printf.");
    assert.equal(await mission.verdict(), DONE);
    assert.ok(mission.requests.some((r) => JSON.stringify(r.messages.at(-1)).includes("Use printf.")));
    await mission.turns();
  });

  test("a question: no prompt until it is answered", async () => {
    const { mission, request } = await asking(question(), "question.asked");
    await it.client.replyQuestion(request, [["A"]]);
    assert.equal(await mission.verdict(), DONE);
    await mission.turns();
  });

  test("a question dismissed: the mission pauses", async () => {
    const { mission, request } = await asking(question(), "question.asked");
    await it.client.rejectQuestion(request);
    await pausedUntilSpokenTo(mission);
  });
});

test("peers 26: all of it is told in words", () => {
  for (const toast of it.toasts()) assert.doesNotMatch(toast, /\[object|undefined|null/);
});
