// Delegation on the real `opencode serve`: parallel sub-agents, their limits, results, aborts and restarts.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { rateLimited, serverError, forever, text, tool, todos, until, wait } from "../model/server.mjs";
import { stage } from "./lib.mjs";

const LIMIT = 4;
const it = await stage({
  options: { limits: { global: LIMIT } },
  config: { agent: { asker: { mode: "subagent", permission: { bash: "ask" } } } },
});
after(() => it.close());

/** The text that the last tool call of the conversation returned. */
const returned = (ctx) => {
  const last = ctx.messages.at(-1);
  if (last?.role !== "tool") return undefined;
  return typeof last.content === "string" ? last.content : last.content.map((part) => part.text).join("");
};
const parts = (count, more = {}) =>
  Array.from({ length: count }, (_, i) => ({
    agent: "worker",
    description: `part ${i}`,
    prompt: `part ${i}`,
    ...more,
  }));
const delegate = (tasks) => tool("delegate_task", { tasks });
const first = (ctx) => ctx.user.split("\n")[0];

/**
 * The root delegates in its first turn and repeats what comes back; `child` answers the sub-agents.
 * @param {any[]} tasks
 * @param {(ctx: any) => any} child
 */
const delegating = (tasks, child) => (ctx) => {
  if (ctx.parent) return child(ctx);
  const result = returned(ctx);
  if (result !== undefined) return text(`RETURNED ${result}`);
  return ctx.turn === 1 ? delegate(tasks) : text(`TOLD ${ctx.user}`);
};
const done = (ctx) => text(`done: ${first(ctx)}`);

/** Requests of the session's children. */
const childRequests = (session) => it.model.turns.filter((r) => r.parent === session.id);
/** The most requests that were open at a time. */
function peak(requests) {
  const ends = requests.flatMap((r) => [
    [r.time, 1],
    [r.ended ?? Infinity, -1],
  ]);
  ends.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let open = 0;
  return Math.max(...ends.map(([, step]) => (open += step)));
}
const toast = (pattern, from) =>
  it.client.events.waitFor(
    (e) => e.type === "tui.toast.show" && pattern.test(e.properties.message),
    60_000,
    from,
  );
/** The answers of the session's agent, oldest first. */
const answers = async (session) =>
  (await session.messages())
    .filter((m) => m.info.role === "assistant")
    .map((m) => m.parts.map((p) => p.text ?? "").join(""));

async function childless(session, timeoutMs) {
  const start = Date.now();
  for (;;) {
    const left = await it.client.children(session.id);
    if (left.length === 0) return Date.now() - start;
    assert.ok(Date.now() - start < timeoutMs, `${left.length} children are left`);
    await new Promise((wake) => setTimeout(wake, 25));
  }
}

test("peers 16, 18: twelve tasks under a limit of four: complete, in order, never more than four at a time", async () => {
  const session = await it.session(delegating(parts(12), (ctx) => [wait(300), text(`done: ${first(ctx)}`)]));
  const from = session.events.mark;
  await session.say("go");
  await session.idle();
  const answer = (await answers(session)).at(-1) ?? "";
  const places = parts(12).map(({ prompt }) => answer.indexOf(`done: ${prompt}\n`));
  places[11] = answer.indexOf("done: part 11");
  assert.ok(
    places.every((place, i) => place > (places[i - 1] ?? -1)),
    answer,
  );
  const requests = childRequests(session);
  assert.equal(requests.length, 12);
  assert.ok(peak(requests) <= LIMIT, `${peak(requests)} at a time`);
  assert.ok(peak(requests) > 1);
  for (const request of requests) assert.ok(!request.tools.includes("delegate_task"), "PEERS 19");
  await toast(/^12 tasks started: 12 worker$/, from);
  await toast(/^12 tasks ended: 12 done$/, from);
});

test("peers 13: three in the background, the parent idle: woken once, with all results", async () => {
  const session = await it.session(
    delegating(parts(3, { background: true }), (ctx) => [wait(1_500), text(`done: ${first(ctx)}`)]),
  );
  await session.say("go");
  await session.idle();
  assert.match(
    (await answers(session)).at(-1) ?? "",
    /RETURNED Started in the background:\nt1 worker: part 0\n/,
  );
  const woken = await session.asked((r) => /<task_results>/.test(r.user));
  for (const { prompt } of parts(3)) assert.match(woken.user, new RegExp(`done: ${prompt}`));
  assert.equal(woken.agent || "build", "build");
  await session.idle(session.events.mark - 1).catch(() => undefined);
  await session.settled();
  await session.quiet();
  assert.equal(session.requests.filter((r) => /<task_results>/.test(r.user)).length, 1);
});

test("peers 13: three in the background, the parent busy when the last ends: woken once, at its turn's end", async () => {
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  const session = await it.session((ctx) => {
    if (ctx.parent) return done(ctx);
    if (returned(ctx) !== undefined) return [text("Working on."), until(held), text(" Done with that.")];
    return ctx.turn === 1 ? delegate(parts(3, { background: true })) : text(`TOLD ${ctx.user}`);
  });
  const from = session.events.mark;
  await session.say("go");
  await toast(/^3 tasks ended: 3 done$/, from);
  await session.quiet(1_000);
  release();
  const woken = await session.asked((r) => r.turn === 2);
  assert.match(woken.user, /done: part 0[^]*done: part 1[^]*done: part 2/);
  await session.settled();
  await session.quiet();
  assert.equal(await session.turns(), 2);
});

test("peers 14: one child hangs: its siblings' results are there, again and again; it can be cancelled", async () => {
  const session = await it.session((ctx) => {
    if (ctx.parent) return first(ctx) === "part 1" ? forever() : done(ctx);
    const result = returned(ctx);
    if (result === undefined) return delegate(parts(3, { background: true }));
    if (/^Started/.test(result))
      return tool("get_task_result", { task_id: "t1", offset: 0, wait_ms: 20_000 });
    if (/done: part 0/.test(result))
      return tool("get_task_result", { task_id: "t3", offset: 0, wait_ms: 20_000 });
    if (/done: part 2/.test(result)) return tool("get_task_result", { task_id: "t2", offset: 0, wait_ms: 0 });
    if (/t2 worker: part 1 - running/.test(result)) return tool("cancel_task", { task_id: "t2" });
    if (/cancelled/.test(result) && !/Tasks:/.test(result)) return tool("list_tasks", {});
    return text(`RETURNED ${result}`);
  });
  await session.say("go");
  await session.idle(session.from, 90_000);
  const answer = (await answers(session)).at(-1) ?? "";
  assert.match(answer, /Tasks: 2 done, 1 cancelled/);
  await session.quiet();
});

test("peers 15: a child's permission request is told, and its answer lets it go on", async () => {
  const tasks = [{ agent: "asker", description: "ask", prompt: "run it" }];
  const session = await it.session(
    delegating(tasks, (ctx) =>
      returned(ctx) === undefined
        ? tool("bash", { command: "echo permitted", description: "say it" })
        : text(`it said ${returned(ctx)}`),
    ),
  );
  const from = session.events.mark;
  await session.say("go");
  await toast(/^t1 asker: ask waits for your answer to a permission request$/, from);
  const other = await it.session((ctx) => text(ctx.user));
  await other.command("mission");
  const [request] = await it.client.permissions();
  await it.client.replyPermission(request.id);
  await session.idle(from);
  assert.match((await answers(session)).at(-1) ?? "", /it said permitted/);
});

test("peers 15: a refused request ends the task with a word about it", async () => {
  const tasks = [{ agent: "asker", description: "ask", prompt: "run it" }];
  const session = await it.session(
    delegating(tasks, () => tool("bash", { command: "echo permitted", description: "say it" })),
  );
  const from = session.events.mark;
  await session.say("go");
  await toast(/waits for your answer/, from);
  const [request] = await it.client.permissions();
  await it.client.replyPermission(request.id, "reject");
  await session.idle(from);
  assert.match((await answers(session)).at(-1) ?? "", /t1 asker: ask - failed[^]*refused/);
});

test("peers 19: an unknown agent, an empty prompt: the model reads what to send instead", async () => {
  for (const [task, pattern] of /** @type {[any, RegExp][]} */ ([
    [{ agent: "wroker", description: "x", prompt: "x" }, /no agent \\?"wroker\\?"\. Use one of: .*worker/],
    [{ agent: "build", description: "x", prompt: "x" }, /primary agent/],
    [{ agent: "worker", description: "x", prompt: "" }, /prompt is empty/],
  ])) {
    const session = await it.session(delegating([task], done));
    await session.say("go");
    await session.idle();
    assert.match((await answers(session)).at(-1) ?? "", pattern);
    assert.deepEqual(await it.client.children(session.id), []);
  }
});

test("peers 19: a sub-agent of the user's own is not offered delegation either", async () => {
  const tasks = [{ agent: "general", description: "x", prompt: "x" }];
  const session = await it.session(
    delegating(tasks, (ctx) => text(`offered: ${ctx.tools.filter((name) => /task/.test(name)).join()}.`)),
  );
  await session.say("go");
  await session.idle();
  assert.doesNotMatch((await answers(session)).at(-1) ?? "", /offered: .*(delegate_task|\btask\b)/);
});

test("a follow-up goes on in the session of the task before", async () => {
  const session = await it.session((ctx) => {
    if (ctx.parent) return text(`turn ${ctx.turn}: ${first(ctx)}`);
    const result = returned(ctx);
    if (result === undefined) return delegate([{ agent: "worker", description: "a", prompt: "begin" }]);
    if (/turn 1/.test(result))
      return delegate([{ agent: "worker", description: "b", prompt: "more", resume: "t1" }]);
    return text(`RETURNED ${result}`);
  });
  await session.say("go");
  await session.idle();
  assert.match((await answers(session)).at(-1) ?? "", /turn 2: more/);
  assert.equal((await it.client.children(session.id)).length, 1);
});

test("peers 16: a storm of 429 on children: few launches, and all results", async () => {
  const open = new Set();
  /** Takes two at a time and refuses the rest. */
  const provider = (ctx) => {
    if (open.size >= 2) return rateLimited();
    open.add(ctx);
    setTimeout(() => open.delete(ctx), 700);
    return [wait(600), text(`done: ${first(ctx)}`)];
  };
  const session = await it.session(delegating(parts(10), provider));
  await session.say("go");
  await session.idle(session.from, 120_000);
  const answer = (await answers(session)).at(-1) ?? "";
  assert.equal(answer.match(/- done after/g)?.length, 10, answer);
  const ours = childRequests(session).length;
  assert.ok(ours <= 30, `${ours} requests`);

  // the same with OpenCode's own tool for sub-agents
  const native = await it.session((ctx) => {
    if (ctx.parent) return provider(ctx);
    if (returned(ctx) !== undefined) return text("RETURNED");
    const calls = parts(10).map((part) => ({ ...part, subagent_type: "general" }));
    return calls.map((call) => tool("task", call));
  });
  await native.say("go");
  await native.idle(native.from, 120_000);
  const before = childRequests(native).length;
  console.log(`# a storm of 429: ${ours} requests for 10 results; by OpenCode's own task tool ${before}`);
});

test("peers 16: retry-after is honoured to the second", async () => {
  let until = 0;
  const session = await it.session(
    delegating(parts(8), (ctx) => {
      if (!until) until = Date.now() + 6_000;
      return Date.now() < until ? rateLimited(Math.ceil((until - Date.now()) / 1_000)) : done(ctx);
    }),
  );
  await session.say("go");
  await session.idle(session.from, 90_000);
  const requests = childRequests(session);
  const early = requests.filter((r) => r.time < until);
  assert.ok(early.length <= LIMIT, `${early.length} requests before its end`);
  const next = Math.min(...requests.filter((r) => r.time >= until).map((r) => r.time));
  console.log(`# the first request ${next - until} ms after the retry-after, ${early.length} before it`);
  assert.match((await answers(session)).at(-1) ?? "", /done: part 7/);
});

test("an abort of the parent with its children running: all quiet, none left", async () => {
  const wide = await it.project("wide", { options: { limits: { global: 8 } } });
  const session = await it.session(
    delegating(parts(8), (ctx) => (first(ctx) === "part 7" ? rateLimited() : forever())),
    wide,
  );
  const from = wide.events.mark;
  await session.say("go");
  await it.model.waitFor(() => new Set(childRequests(session).map((r) => r.session)).size === 8, 30_000);
  const before = childRequests(session).length;
  const children = (await wide.children(session.id)).map(({ id }) => id);
  assert.equal(children.length, 8);
  const start = Date.now();
  await session.abort();
  await Promise.all(children.map((id) => wide.events.idle(id, from)));
  const idle = Date.now() - start;
  for (;;) {
    if ((await wide.children(session.id)).length === 0) break;
    await new Promise((wake) => setTimeout(wake, 20));
    assert.ok(Date.now() - start < 15_000, "children are left");
  }
  console.log(`# eight children: quiet ${idle} ms after the abort, deleted after ${Date.now() - start} ms`);
  await session.quiet(4_000);
  assert.equal(childRequests(session).length, before, "a host's retry outlived the abort");
  const errors = wide.events.list
    .slice(from)
    .filter((e) => e.type === "session.error" && e.properties.error?.name === "UnknownError");
  assert.deepEqual(errors, [], "PEERS 17");
});

test("a mission delegates in the background, waits, and ends with its children gone", async () => {
  const mission = await it.mission((ctx) => {
    if (ctx.parent) return [wait(1_000), text(`done: ${first(ctx)}`)];
    if (returned(ctx) !== undefined)
      return ctx.turn === 1 && ctx.step === 1
        ? delegate(parts(2, { background: true }))
        : text(ctx.turn === 1 ? "Delegated." : "All is done.");
    if (!ctx.todos) return todos([["one", "pending"]]);
    return /done: part 0[^]*done: part 1/.test(ctx.user) ? todos([["one", "completed"]]) : text("?");
  });
  assert.equal(await mission.verdict(), "complete: all 1 todos are done");
  const told = mission.requests.filter((r) => r.step === 0 && /task_result/.test(r.user));
  assert.equal(told.length, 1);
  assert.match(told[0].user, /<mission id="\d+" iteration="1">\n<task_result id="t1"/);
  await childless(mission, 10_000);
});

test("peers 25: after dispose and reload, delegation works and the results from before are readable", async () => {
  const place = await it.project("reloaded");
  const script = (ctx) => {
    if (ctx.parent) return done(ctx);
    const result = returned(ctx);
    if (result !== undefined) return text(`RETURNED ${result}`);
    return ctx.turn === 1
      ? delegate(parts(1))
      : ctx.turn === 2
        ? tool("get_task_result", { task_id: "t1", offset: 0, wait_ms: 0 })
        : delegate(parts(2));
  };
  const session = await it.session(script, place);
  await session.say("go");
  await session.idle();
  await place.dispose();
  await place.events.open();
  for (const pattern of [/done: part 0/, /t2 worker[^]*t3 worker/]) {
    const from = place.events.mark;
    await session.say("again");
    await session.idle(from);
    assert.match((await answers(session)).at(-1) ?? "", pattern);
  }
});

test("the provider is down for a while for the children only: every task ends with its result", async () => {
  const downMs = Number(process.env.OUTAGE_MS ?? 20_000);
  let since = 0;
  const session = await it.session(
    delegating(parts(6), (ctx) => {
      since ||= Date.now();
      return Date.now() - since < downMs ? serverError(503) : done(ctx);
    }),
  );
  await session.say("go");
  await session.idle(session.from, downMs * 4 + 120_000);
  const answer = (await answers(session)).at(-1) ?? "";
  assert.equal(answer.match(/- done after/g)?.length, 6, answer);
  const requests = childRequests(session);
  const last = Math.max(...requests.map((r) => r.ended ?? r.time));
  console.log(
    `# an outage of ${downMs / 1_000} s: ${requests.length} requests for 6 results, the last ${Math.round((last - since - downMs) / 1_000)} s after its end`,
  );
});
