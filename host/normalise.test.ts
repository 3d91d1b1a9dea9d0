import assert from "node:assert/strict";
import { test } from "node:test";
import { isObject } from "./fault";
import { endingOf, Normaliser, todosOf, type Normalised } from "./normalise";

const session = "ses_1";
const status = (type: string, more = {}) => ({
  type: "session.status",
  properties: { sessionID: session, status: { type, ...more } },
});
/** The name of an event: the key of its one field, or itself when it has none. */
const nameOf = (event: Normalised | undefined) => (isObject(event) ? Object.keys(event).join() : event);
const idle = { type: "session.idle", properties: { sessionID: session } };
const message = (info: Record<string, unknown>) => ({
  type: "message.updated",
  properties: { info: { id: "msg_1", role: "assistant", sessionID: session, ...info } },
});

test("OpenCode's pair of idles is one, and a repeated busy is dropped until the session was idle", () => {
  const normaliser = new Normaliser();
  const seen = [status("busy"), status("busy"), status("idle"), idle, status("busy"), status("idle"), idle]
    .map((event) => normaliser.normalise(event))
    .flatMap((event) => (event ? [nameOf(event)] : []));
  assert.deepEqual(seen, ["busy", "idle", "busy", "idle"]);
});

test("the text of the next prompt is no output of a turn that had none", () => {
  const normaliser = new Normaliser();
  const part = (type: string) => ({
    type: "message.part.updated",
    properties: { part: { sessionID: session, messageID: "msg_1", type } },
  });
  const seen = [status("busy"), idle, part("text"), status("busy"), part("text"), part("text")]
    .map((event) => normaliser.normalise(event))
    .flatMap((event) => (event ? [nameOf(event)] : []));
  assert.deepEqual(seen, ["busy", "idle", "busy", "firstOutput"]);
});

test("peers 2: a second pair of idles is told again, for it may be the person's abort", () => {
  const normaliser = new Normaliser();
  const seen = [status("busy"), status("idle"), idle, status("idle"), idle].map((e) =>
    normaliser.normalise(e),
  );
  assert.deepEqual(
    seen.flatMap((event) => (event ? [nameOf(event)] : [])),
    ["busy", "idle", "idle"],
  );
});

test("the high-rate events are dropped", () => {
  const normaliser = new Normaliser();
  for (const event of [
    { type: "message.part.delta", properties: { sessionID: session, delta: "x" } },
    { type: "message.part.updated", properties: { part: { type: "text", sessionID: session, text: "x" } } },
    {
      type: "message.part.updated",
      properties: { part: { type: "tool", sessionID: session, state: { status: "running" } } },
    },
    { type: "session.updated", properties: { info: { id: session } } },
    { type: "session.diff", properties: { sessionID: session, diff: [] } },
    { type: "plugin.added", properties: {} },
    message({}),
    message({ role: "user" }),
  ]) {
    assert.equal(normaliser.normalise(event), undefined, event.type);
  }
});

test("an assistant message is told once for each way of ending", () => {
  const normaliser = new Normaliser();
  const tokens = { input: 100, output: 10, reasoning: 5, cache: { read: 7, write: 1 } };
  const first = normaliser.normalise(message({ finish: "stop", tokens, cost: 0.5 }));
  assert.deepEqual(first, {
    assistant: { session, message: "msg_1", ending: "natural", summary: false, tokens: 123, cost: 0.5 },
  });
  assert.equal(normaliser.normalise(message({ finish: "stop", tokens, time: { completed: 1 } })), undefined);
  assert.equal(nameOf(normaliser.normalise(message({ id: "msg_2", finish: "stop" }))), "assistant");
});

test("how a message ended", () => {
  assert.deepEqual(endingOf({ finish: "tool-calls" }), "step");
  assert.deepEqual(endingOf({ finish: "length" }), "natural");
  assert.deepEqual(endingOf({}), "unfinished");
  assert.deepEqual(endingOf({ error: { name: "MessageAbortedError" }, finish: "stop" }), {
    failed: { fault: "cancelled" },
  });
});

test("retries, children, questions and permissions", () => {
  const normaliser = new Normaliser();
  const next = (type: string, properties: Record<string, unknown>) =>
    normaliser.normalise({ type, properties });
  assert.deepEqual(normaliser.normalise(status("retry", { attempt: 2, message: "slow down" })), {
    retrying: { session, attempt: 2, message: "slow down", retryAfterMs: null },
  });
  const waits = (attempt: number, ms: number) => {
    const told = normaliser.normalise(status("retry", { attempt, message: "", next: Date.now() + ms }));
    return (told as { retrying: { retryAfterMs: number | null } }).retrying.retryAfterMs;
  };
  assert.equal(waits(1, 2_200), null); // OpenCode's own wait
  assert.equal(waits(3, 9_500), null);
  assert.equal(waits(9, 31_000), null);
  assert.equal(Math.round((waits(1, 7_000) ?? 0) / 1_000), 7); // the provider's
  assert.equal(Math.round((waits(4, 1_000) ?? 0) / 1_000), 1);
  assert.equal(next("session.created", { info: { id: "ses_2" } }), undefined);
  assert.deepEqual(next("session.created", { info: { id: "ses_2", parentID: session } }), {
    child: { parent: session, session: "ses_2", title: "" },
  });
  assert.deepEqual(next("question.asked", { id: "q", sessionID: session }), {
    blocked: { session, request: "q", by: "question" },
  });
  for (const [type, properties, rejected] of [
    ["permission.replied", { requestID: "q", reply: "once" }, false],
    ["permission.replied", { requestID: "q", reply: "reject" }, true],
    ["question.rejected", { requestID: "q" }, true],
  ] as const) {
    assert.deepEqual(next(type, { sessionID: session, ...properties }), {
      unblocked: { session, request: "q", rejected },
    });
  }
  assert.deepEqual(next("session.deleted", { info: { id: session } }), { deleted: { session } });
});

test("a failed tool call, which has no hook, is told by its part", () => {
  const state = { status: "error", input: { filePath: "x" }, error: "File not found" };
  const part = { type: "tool", sessionID: session, callID: "c", tool: "read", state };
  const event = new Normaliser().normalise({ type: "message.part.updated", properties: { part } });
  assert.ok(isObject(event) && "rawTool" in event);
  const { call } = event.rawTool;
  assert.deepEqual(
    [call.failed, call.kind, call.output, call.args],
    [true, "read", "File not found", '{"filePath":"x"}'],
  );
});

test("peers 10: a todo list that is none is an error, never an empty list", () => {
  for (const value of [undefined, null, "todos", {}, 3]) assert.throws(() => todosOf(value), /not a list/);
  assert.deepEqual(todosOf([{ content: "a", status: "blocked" }, { status: "cancelled" }, null]), [
    { content: "a", status: "pending" },
    { content: "", status: "cancelled" },
  ]);
});

test("malformed events are dropped without a throw", () => {
  const normaliser = new Normaliser();
  const types = ["session.status", "session.idle", "session.error", "session.created", "session.deleted"];
  types.push(
    "message.updated",
    "message.part.updated",
    "permission.asked",
    "permission.replied",
    "unheard.of",
  );
  for (const type of types) {
    for (const properties of [{}, { sessionID: 3, info: 3, status: null, part: null }]) {
      assert.equal(normaliser.normalise({ type, properties } as never), undefined, type);
    }
  }
});

test("peers 5: an answer while a newer user message waits is a step, not the end of the turn", () => {
  const normaliser = new Normaliser();
  const answer = (id: string, parentID: string) => {
    const event = normaliser.normalise(message({ id, parentID, finish: "stop" }));
    return isObject(event) && "assistant" in event ? event.assistant.ending : undefined;
  };
  const asked = (id: string) => assert.equal(normaliser.normalise(message({ id, role: "user" })), undefined);
  asked("msg_1");
  assert.equal(answer("msg_2", "msg_1"), "natural");
  asked("msg_3");
  asked("msg_5");
  asked("msg_3"); // OpenCode tells it again, with a summary
  assert.equal(answer("msg_4", "msg_3"), "step");
  assert.equal(answer("msg_6", "msg_5"), "natural");
  assert.equal(answer("msg_8", "msg_7"), "natural"); // the replay after a compaction
});

test("the first output of a turn is told once, and once more after a retry", () => {
  const normaliser = new Normaliser();
  const next = (type: string, properties: Record<string, unknown>) =>
    normaliser.normalise({ type, properties });
  const session = "ses_1";
  const part = (type: string) => next("message.part.updated", { part: { type, sessionID: session } });
  const told = { firstOutput: { session } };
  assert.equal(part("text"), undefined); // the person's own message
  next("session.status", { sessionID: session, status: { type: "busy" } });
  assert.equal(part("step-start"), undefined);
  assert.deepEqual(part("reasoning"), told);
  assert.equal(part("text"), undefined);
  next("session.status", { sessionID: session, status: { type: "retry", attempt: 1, message: "" } });
  assert.deepEqual(part("text"), told);
});
