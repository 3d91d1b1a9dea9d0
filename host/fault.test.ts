import assert from "node:assert/strict";
import { test } from "node:test";
import { callFault, faultOf, messageOf } from "./fault";

test("peers 26: the message in any error-like value, never [object Object]", () => {
  const loop: Record<string, unknown> = {};
  loop["self"] = loop;
  for (const [value, expected] of [
    ["plain", "plain"],
    [new Error("thrown"), "thrown"],
    [{ name: "NotFoundError", data: { message: "no such session" } }, "no such session"],
    [{ error: { message: "inside" } }, "inside"],
    [{ name: "UnknownError" }, "UnknownError"],
    [{ a: { b: 1 } }, '{"a":{"b":1}}'],
    [undefined, "unknown error"],
    [null, "null"],
    [loop, "unknown error"],
  ] as const) {
    assert.equal(messageOf(value), expected);
  }
});

const api = (data: object) => faultOf({ name: "APIError", data: { message: "m", ...data } });

test("OpenCode's errors are sorted by what to do about them", () => {
  assert.equal(faultOf({ name: "MessageAbortedError", data: {} }).kind, "cancelled");
  assert.equal(faultOf({ name: "ContextOverflowError", data: { message: "m" } }).kind, "contextOverflow");
  assert.equal(faultOf({ name: "ProviderAuthError", data: { message: "m" } }).kind, "refused");
  assert.equal(
    faultOf({ name: "UnknownError", data: { message: "JSON parsing failed" } }).kind,
    "agentFailed",
  );
  assert.equal(faultOf(undefined).kind, "agentFailed");
  assert.deepEqual(api({ statusCode: 401, isRetryable: false }), { kind: "refused", message: "401: m" });
  assert.equal(api({ statusCode: 408, isRetryable: true }).kind, "unavailable");
  assert.equal(api({ statusCode: 503 }).kind, "unavailable");
  assert.equal(api({}).kind, "unavailable");
});

test("peers 16: retry-after is read in seconds, milliseconds or as a date", () => {
  const wait = (responseHeaders: object) => {
    const fault = api({ statusCode: 429, responseHeaders });
    assert.ok(fault.kind === "rateLimited");
    return fault.retryAfterMs;
  };
  assert.equal(wait({ "retry-after": "3" }), 3_000);
  assert.equal(wait({ "retry-after-ms": "250", "retry-after": "9" }), 250);
  assert.equal(wait({ "retry-after": "soon" }), null);
  assert.equal(wait({ "retry-after": "-1" }), null);
  assert.equal(wait({}), null);
  const date = wait({ "retry-after": new Date(Date.now() + 60_000).toUTCString() });
  assert.ok(date !== null && date > 50_000 && date <= 60_000);
});

test("a client call that failed", () => {
  assert.equal(callFault({ name: "NotFoundError", data: { message: "m" } }, undefined).kind, "sessionLost");
  assert.equal(callFault({}, 404).kind, "sessionLost");
  assert.equal(callFault({ message: "m" }, 400).kind, "refused");
  assert.deepEqual(callFault({ message: "m" }, 500), { kind: "unavailable", message: "m" });
  assert.equal(callFault("m", undefined).kind, "unavailable");
});
