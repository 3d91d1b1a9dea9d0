import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "./generated/contract";
import { callFault, faultOf, isObject, messageOf } from "./fault";

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

/** The name of a fault: the key of its one field, or itself when it has none. */
const nameOf = (fault: Fault) => (typeof fault === "string" ? fault : Object.keys(fault).join());
const api = (data: object) => faultOf({ name: "APIError", data: { message: "m", ...data } });

test("OpenCode's errors are sorted by what to do about them", () => {
  assert.equal(nameOf(faultOf({ name: "MessageAbortedError", data: {} })), "cancelled");
  assert.equal(nameOf(faultOf({ name: "ContextOverflowError", data: { message: "m" } })), "contextOverflow");
  assert.equal(nameOf(faultOf({ name: "ProviderAuthError", data: { message: "m" } })), "refused");
  assert.equal(
    nameOf(faultOf({ name: "UnknownError", data: { message: "JSON parsing failed" } })),
    "agentFailed",
  );
  assert.equal(nameOf(faultOf(undefined)), "agentFailed");
  assert.deepEqual(api({ statusCode: 401, isRetryable: false }), { refused: { message: "401: m" } });
  assert.equal(nameOf(api({ statusCode: 408, isRetryable: true })), "unavailable");
  assert.equal(nameOf(api({ statusCode: 503 })), "unavailable");
  assert.equal(nameOf(api({})), "unavailable");
});

test("peers 16: retry-after is read in seconds, milliseconds or as a date", () => {
  const wait = (responseHeaders: object) => {
    const fault = api({ statusCode: 429, responseHeaders });
    assert.ok(isObject(fault) && "rateLimited" in fault);
    return fault.rateLimited.retryAfterMs;
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
  assert.equal(
    nameOf(callFault({ name: "NotFoundError", data: { message: "m" } }, undefined)),
    "sessionLost",
  );
  assert.equal(nameOf(callFault({}, 404)), "sessionLost");
  assert.equal(nameOf(callFault({ message: "m" }, 400)), "refused");
  assert.deepEqual(callFault({ message: "m" }, 500), { unavailable: { message: "m" } });
  assert.equal(nameOf(callFault("m", undefined)), "unavailable");
});
