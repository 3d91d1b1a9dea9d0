// The test tools themselves: the real OpenCode starts in a sandbox, is answered by the scripted model, and asks nobody else.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  contextOverflow,
  forever,
  malformed,
  outOfQuota,
  rateLimited,
  reset,
  serverError,
  startModel,
  text,
  todos,
  tool,
  turn,
  turns,
  unauthorized,
} from "../model/server.mjs";
import { failing, growing, outage, steps } from "../model/scripts.mjs";
import { sandbox } from "./opencode.mjs";

const model = await startModel();
const box = await sandbox({ model, files: { "a.txt": "one\n" } });
after(async () => {
  await box.close();
  await model.close();
});

test("serve: a prompt is answered, tools run, todos are stored", { timeout: 120_000 }, async () => {
  model.script = turns([
    turn(text("Hello there.")),
    turn(
      [
        text("Planning."),
        todos([
          ["a", "completed"],
          ["b", "pending"],
        ]),
      ],
      tool("read", { filePath: `${box.project}/a.txt` }),
      text("Read it."),
    ),
  ]);
  const { client, events, stop } = await box.serve();
  const session = await client.createSession();
  const first = await client.prompt(session.id, "hi");
  assert.equal(first.parts.find((p) => p.type === "text").text, "Hello there.");
  await events.idle(session.id); // may come after the answer itself
  const from = events.mark;
  await client.promptAsync(session.id, "go on");
  await events.idle(session.id, from);
  assert.deepEqual(
    (await client.todos(session.id)).map((t) => t.status),
    ["completed", "pending"],
  );
  assert.equal(model.turns.length, 4);
  assert.equal(model.turns[0].session, session.id);
  await stop();
});

test("serve: scripted faults are seen by OpenCode as the real ones", { timeout: 180_000 }, async () => {
  const { client, events, stop } = await box.serve();
  const ok = () => text("Fine.");
  /** One prompt under a script; gives the names of its errors, its retries and whether an answer came. */
  async function trial(script) {
    model.script = script;
    const { id } = await client.createSession();
    const from = events.mark;
    await client.promptAsync(id, "go");
    const mine = () => events.list.slice(from).filter((e) => e.properties?.sessionID === id);
    await events.idle(id, from);
    return {
      errors: mine()
        .filter((e) => e.type === "session.error")
        .map((e) => e.properties.error.name),
      retries: mine().filter((e) => e.properties?.status?.type === "retry").length,
      answered: (await client.messages(id)).at(-1)?.info.finish === "stop",
    };
  }
  const retried = { errors: [], retries: 1, answered: true };
  assert.deepEqual(await trial(failing(() => rateLimited(1), { inner: ok })), retried, "429");
  assert.deepEqual(await trial(failing(() => serverError(), { inner: ok })), retried, "500");
  assert.deepEqual(await trial(failing(() => reset(), { inner: ok })), retried, "reset");
  assert.deepEqual(
    await trial(failing(() => [text("Half an"), reset()], { inner: ok })),
    retried,
    "reset in the stream",
  );
  assert.deepEqual(await trial(failing(() => outOfQuota(), { inner: ok })), retried, "quota");
  assert.deepEqual(
    await trial(failing(() => malformed(), { inner: ok })),
    { errors: ["UnknownError"], retries: 0, answered: false },
    "malformed",
  );
  assert.deepEqual(
    await trial(failing(() => unauthorized(), { inner: ok })),
    { errors: ["APIError"], retries: 0, answered: false },
    "401",
  );
  assert.deepEqual(
    await trial(failing(() => contextOverflow(), { inner: ok })),
    { errors: ["ContextOverflowError"], retries: 0, answered: true },
    "overflow",
  );

  model.script = () => forever();
  const { id } = await client.createSession();
  const from = events.mark;
  const before = model.turns.length;
  await client.promptAsync(id, "go");
  await model.waitFor(() => model.turns.length > before);
  await client.abort(id);
  await events.idle(id, from);
  await model.waitFor(() => model.turns.at(-1)?.aborted);
  await stop();
});

test("serve: scripts derive their state from the conversation", { timeout: 120_000 }, async () => {
  const { client, stop } = await box.serve();
  for (const [script, turnsNeeded, count] of [
    [steps(3), 4, 3],
    [growing({ total: 4 }), 5, 4],
    [outage(500, { after: 1, inner: steps(1), fail: () => rateLimited(1) }), 2, 1],
  ]) {
    model.script = script;
    const { id } = await client.createSession();
    for (let i = 0; i < turnsNeeded; i += 1) await client.prompt(id, "go on");
    assert.deepEqual(
      (await client.todos(id)).map((t) => t.status),
      Array(count).fill("completed"),
    );
  }
  await stop();
});

test("run: prints the answer and ends with code 0", { timeout: 120_000 }, async () => {
  model.script = () => text("Hello from run.");
  const { code, stdout, stderr } = await box.run(["hi"]).exited;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Hello from run\./);
});

test("the TUI under tmux shows the answer", { timeout: 120_000 }, async () => {
  model.script = () => text("Hello from the screen.");
  const screen = await box.tui();
  await screen.waitForScreen(/Ask anything/);
  await screen.type("hi");
  await screen.press("Enter");
  await screen.waitForScreen(/Hello from the screen\./);
  await screen.stop();
});

test("nothing outside was asked for", () => {
  assert.deepEqual(box.outside, []);
});
