// Tasks when the program ends: killed and started again, and in `opencode run`, which ends at its first idle.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { forever, startModel, text, todos, tool, wait } from "../model/server.mjs";
import { ourPlugin, sandbox } from "./opencode.mjs";

const model = await startModel({ agents: { commander: /You are the Commander/ } });
const box = await sandbox({ model, plugin: [ourPlugin({})] });
after(async () => {
  await box.close();
  await model.close();
});

const returned = (ctx) => {
  const last = ctx.messages.at(-1);
  if (last?.role !== "tool") return undefined;
  return typeof last.content === "string" ? last.content : last.content.map((part) => part.text).join("");
};
const first = (ctx) => ctx.user.split("\n")[0];
const delegate = (count, background) =>
  tool("delegate_task", {
    tasks: Array.from({ length: count }, (_, i) => ({
      agent: "worker",
      description: `part ${i}`,
      prompt: `part ${i}`,
      background,
    })),
  });
const run = async (name, args) => {
  const cwd = await box.makeProject(join(box.dir, name), { plugin: [ourPlugin({})] });
  const child = box.run(args, { cwd: join(box.dir, name) });
  const limit = setTimeout(() => child.kill("SIGKILL"), 90_000); // what hangs has failed
  const result = await child.exited;
  clearTimeout(limit);
  return { ...result, cwd };
};
/** The sessions that a run left behind. */
async function sessionsOf(name) {
  const server = await box.serve();
  const list = await server.clientFor(join(box.dir, name)).sessions();
  await server.stop();
  return list;
}

test("kill -9 with background tasks running: results are readable, the rest goes on once, the parent is told once", async () => {
  let killed = false;
  model.script = (ctx) => {
    if (ctx.parent) return killed || /part 0$/.test(first(ctx)) ? text(`done: ${first(ctx)}`) : forever();
    const result = returned(ctx);
    if (result !== undefined) return text(`RETURNED ${result}`);
    if (ctx.turn === 1) return delegate(4, true);
    if (/task_results/.test(ctx.user)) return text("Thank you.");
    return tool("get_task_result", { task_id: "t1", offset: 0, wait_ms: 0 });
  };
  const server = await box.serve();
  const { id } = await server.client.createSession();
  await server.client.prompt(id, "go");
  const children = () => model.turns.filter((r) => r.parent === id);
  await model.waitFor(() => new Set(children().map((r) => r.session)).size === 4, 30_000);
  const listed = await server.client.children(id);
  assert.equal(listed.length, 4);
  await server.client.events.waitFor(
    (e) => e.type === "session.idle" && listed.some((child) => child.id === e.properties.sessionID),
    20_000,
  );
  await new Promise((wake) => setTimeout(wake, 500)); // the result is read and journaled
  server.kill("SIGKILL");
  await server.exited;

  killed = true;
  const before = children().length;
  const second = await box.serve();
  await second.client.prompt(id, "what came of it?");
  const woken = await model.waitFor(
    () => model.turns.find((r) => r.session === id && /<task_results>/.test(r.user)),
    30_000,
  );
  await second.client.events.idle(id);
  const said = (await second.client.messages(id)).map((m) => m.parts.map((p) => p.text ?? "").join(""));
  assert.ok(
    said.some((text) => /RETURNED t1 worker: part 0 - done[^]*done: part 0/.test(text)),
    said.join("\n"),
  );
  assert.doesNotMatch(woken.user, /id="t1"/, "that one was read");
  assert.match(woken.user, /id="t2"[^]*id="t3"[^]*id="t4"/);
  assert.equal(children().length - before, 3, "each interrupted task once");
  assert.equal((await second.client.children(id)).length, 4, "in its own session");
  assert.equal(model.turns.filter((r) => r.session === id && /<task_results>/.test(r.user)).length, 1);
  await second.stop();
});

test("`opencode run`: tasks in the foreground; the sub-sessions are gone at its end", async () => {
  model.script = (ctx) => {
    if (ctx.parent) return [wait(300), text(`done: ${first(ctx)}`)];
    const result = returned(ctx);
    return result === undefined ? delegate(3, false) : text(`RETURNED ${result}`);
  };
  const { code, stdout, stderr } = await run("foreground", ["go"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /RETURNED[^]*done: part 0[^]*done: part 2/);
  assert.match(stderr, /3 tasks ended: 3 done/);
  assert.equal((await sessionsOf("foreground")).filter((s) => s.parentID).length, 0);
});

test("peers 13: `opencode run` with tasks in the background does not end before their results are told", async () => {
  model.script = (ctx) => {
    if (ctx.parent) return [wait(2_000), text(`done: ${first(ctx)}`)];
    if (returned(ctx) !== undefined) return text("They run.");
    return ctx.turn === 1 ? delegate(3, true) : text(`TOLD ${ctx.user}`);
  };
  const from = model.turns.length;
  const { code, stderr } = await run("background", ["go"]);
  assert.equal(code, 0, stderr);
  const told = model.turns.slice(from).filter((r) => !r.parent && /<task_results>/.test(r.user));
  assert.equal(told.length, 1, stderr);
  assert.match(told[0].user, /done: part 0[^]*done: part 1[^]*done: part 2/);
  assert.equal((await sessionsOf("background")).filter((s) => s.parentID).length, 0);
});

test("a mission in `opencode run` that delegates in the background ends complete, with code 0 and nothing left", async () => {
  model.script = (ctx) => {
    if (ctx.parent) return [wait(1_500), text(`done: ${first(ctx)}`)];
    if (returned(ctx) !== undefined)
      return ctx.turn === 1 && ctx.step === 1 ? delegate(2, true) : text("So far.");
    if (!ctx.todos) return todos([["one", "pending"]]);
    return /done: part 0[^]*done: part 1/.test(ctx.user) ? todos([["one", "completed"]]) : text("?");
  };
  const { code, stderr } = await run("mission", ["--command", "task", "do it"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Mission 1: complete: all 1 todos are done/);
  assert.equal((await sessionsOf("mission")).filter((s) => s.parentID).length, 0);
});
