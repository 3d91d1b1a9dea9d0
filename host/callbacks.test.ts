// A prompt that is handed over again, against a client with messages of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OUR_MARK } from "./callbacks";
import { callbacksOver } from "./callbacks.stage";
import type { Client, PromptBody } from "./opencode";

const session = "ses_1";
const request = { session, agent: null, model: null, text: "go on", redrive: false };

/** Callbacks over a session with a long history; `stored` holds the messages that came since. */
function stage() {
  const sent: PromptBody[] = [];
  const stored: { info: { id: string; role: string }; parts: object[] }[] = [];
  const old = Array.from({ length: 40 }, (_, i) => ({
    info: { id: `msg_${i}`, role: i % 2 ? "assistant" : "user" },
    parts: [],
  }));
  const calls = {
    status: () => Promise.resolve({ data: {} }),
    messages: ({ query }: { query: { limit: number } }) =>
      Promise.resolve({ data: [...old, ...stored].slice(-query.limit) }),
    message: ({ path }: { path: { messageID: string } }) => {
      const data = [...old, ...stored].find(({ info }) => info.id === path.messageID);
      return Promise.resolve(data ? { data } : { error: { name: "NotFoundError" } });
    },
    promptAsync: ({ body }: { body: PromptBody }) => (sent.push(body), Promise.resolve({})),
  };
  const callbacks = callbacksOver({ session: calls } as unknown as Client);
  const store = ({ messageID, parts }: PromptBody) =>
    void stored.push({ info: { id: messageID, role: "user" }, parts });
  const answer = () => void stored.push({ info: { id: "msg_end", role: "assistant" }, parts: [] });
  return { callbacks, sent, store, answer };
}

test("a prompt that never arrived goes out whole when it is asked for again, however long the history", async () => {
  const { callbacks, sent } = stage();
  await callbacks.prompt(request);
  await callbacks.prompt({ ...request, redrive: true });
  assert.equal(sent[1]?.messageID, sent[0]?.messageID);
  assert.equal(sent[1]?.parts.length, 1);
});

test("one that is stored, answered or not, is not stored a second time", async () => {
  const { callbacks, sent, store, answer } = stage();
  await callbacks.prompt(request);
  store(sent[0] as PromptBody);
  await callbacks.prompt({ ...request, redrive: true });
  answer();
  await callbacks.prompt({ ...request, redrive: true });
  assert.deepEqual(
    sent.slice(1).map(({ messageID, parts }) => [messageID === sent[0]?.messageID, parts.length]),
    [
      [true, 0],
      [true, 0],
    ],
  );
});

test("after a restart the one that waits is found by its mark, and without one a new one is stored", async () => {
  const { callbacks, sent, store } = stage();
  store({
    messageID: "msg_before",
    parts: [{ type: "text", text: "go on", metadata: { [OUR_MARK]: true } }],
  });
  await callbacks.prompt({ ...request, redrive: true });
  assert.deepEqual([sent[0]?.messageID, sent[0]?.parts.length], ["msg_before", 0]);
  const other = stage();
  other.answer();
  await other.callbacks.prompt({ ...request, redrive: true });
  assert.equal(other.sent[0]?.parts.length, 1);
});
