// The engine's instance broken on purpose: its memory is overwritten, so that the next call into it traps.
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import type { Event } from "./generated/contract";
import { isObject } from "./fault";
import { load, Runtime, type EngineHost } from "./runtime";

// the bundle looks for the module beside itself
copyFileSync(resolve("target/wasm/engine/engine_bg.wasm"), new URL("./engine.wasm", import.meta.url));

const session = "ses_1";

/** A journal with this in it breaks the instance that restores it. */
const BREAKS = "\n\n\n";

/**
 * A runtime with a host that notes what it is asked; `memories` holds each instance's memory. Of its instances only so
 * many can be made.
 */
function stage(instances = Infinity) {
  const memories: WebAssembly.Memory[] = [];
  const journals = new Map<number, string>();
  const calls: string[] = [];
  const notices: string[] = [];
  const traps: string[] = [];
  const lost: string[] = [];
  const off: string[] = [];
  /** The instance breaks right after so many more journal entries. */
  const breaking = { after: -1 };
  const answers: ((value: unknown) => void)[] = [];
  const call = (name: string) => {
    calls.push(name);
    return new Promise<unknown>((resolve) => answers.push(resolve));
  };
  const host: EngineHost = {
    now: () => 1_000,
    prompt: ({ text, redrive }) => call(`${redrive ? "redrive" : "prompt"} ${text}`),
    todos: () => call("todos"),
    lastTurn: () => call("lastTurn"),
    result: () => call("result"),
    children: () => call("children"),
    abort: () => call("abort"),
    createSession: () => call("createSession"),
    deleteSession: () => call("deleteSession"),
    runCheck: () => call("runCheck"),
    stopCheck: () => void calls.push("stopCheck"),
    setAlarm: () => undefined,
    notify: (_session, _level, message) => void notices.push(message),
    log: () => undefined,
    answerTool: (_session, _call, text) => void notices.push(text),
    journalTasks: () => undefined,
    journal(mission, text, replace, ended) {
      if (ended) journals.delete(mission);
      else journals.set(mission, `${replace ? "" : journals.get(mission)}${Buffer.from(text)}`);
      if (breaking.after-- === 0) breakIt(memories.at(-1));
    },
  };
  const runtime = new Runtime(
    {
      host,
      options: {},
      seed: 1,
      interactive: true,
      journals: () => [...journals].map(([path, text]) => ({ path: String(path), text })),
      lastMission: () => 0,
      onTrap: (message, isFirst) => isFirst && traps.push(message),
      onLost: (path) => (lost.push(path), journals.delete(Number(path))),
      onOff: (message) => void off.push(message),
      onRecovered: () => void calls.push("recovered"),
    },
    (queue) => {
      if (memories.length >= instances) throw new Error("no more memory");
      const glue = load(queue);
      // the compiled module is shared, and a second initSync() of the same glue gives its exports
      const exports = glue.initSync(undefined as never);
      memories.push(exports.memory);
      const Orchestrator = class extends glue.Orchestrator {
        override restore(journal: string, trap: boolean): boolean {
          if (journal.includes(BREAKS)) breakIt(exports.memory);
          return super.restore(journal, trap);
        }
      };
      return Object.create(glue, { Orchestrator: { value: Orchestrator } }) as typeof glue;
    },
  );
  return { runtime, memories, journals, calls, notices, traps, lost, off, answers, breaking };
}

const breakIt = (memory: WebAssembly.Memory | undefined) => {
  assert.ok(memory);
  new Uint8Array(memory.buffer).fill(0xff);
};
const events = {
  todos: { todos: { session, todos: [{ content: "a", status: "pending" }] } },
  ended: {
    assistant: { session, message: "msg_1", ending: "natural", summary: false, tokens: 10, cost: 0 },
  },
} satisfies Record<string, Event>;
const view = (runtime: Runtime) => {
  const newest = runtime.call((o) => o.views() as unknown[], []).at(-1);
  assert.ok(isObject(newest));
  return newest;
};
/** The command, and the turn in which its message is read. */
const start = (runtime: Runtime, session = "ses_1") => {
  const text = runtime.command(session, { task: { objective: "go" } })?.text ?? "no engine";
  runtime.handle({ busy: { session } });
  return text;
};

test("a trap: a fresh instance takes over from the journal and makes the call again; it is told once", () => {
  const { runtime, memories, calls, traps } = stage();
  assert.match(start(runtime), /<objective>go<\/objective>/);
  runtime.handle(events.todos);
  breakIt(memories[0]);
  runtime.handle(events.ended);
  assert.equal(memories.length, 2);
  assert.equal(traps.length, 1);
  assert.equal(view(runtime)["phase"], "prompting");
  assert.equal(calls.filter((name) => name.startsWith("prompt")).length, 1, calls.join("\n"));
  assert.match(
    runtime.call((o) => o.status(session), ""),
    /trap: a fresh instance took over/,
  );
});

test("a trap after the call was journaled: the call is not made again, for the journal tells the fresh instance of it", () => {
  const { runtime, memories, journals, calls, traps, breaking } = stage();
  start(runtime);
  runtime.handle(events.todos);
  breaking.after = 0;
  runtime.handle(events.ended);
  assert.equal(memories.length, 2);
  assert.equal(traps.length, 1);
  const lines = [...journals.values()].join("").split("\n");
  const told = lines.filter((line) => line.startsWith('{"at"') && line.includes('"msg_1"'));
  assert.equal(told.length, 1, lines.join("\n"));
  assert.deepEqual(calls, ["recovered"], "whether the prompt went out is looked up first");
});

test("a second trap soon after stops the missions with that reason; the engine goes on", () => {
  const { runtime, memories, journals, notices, traps } = stage();
  start(runtime);
  runtime.handle(events.todos);
  breakIt(memories[0]);
  runtime.handle(events.todos);
  breakIt(memories[1]);
  runtime.handle(events.ended);
  assert.equal(traps.length, 1);
  assert.match(notices.at(-1) ?? "", /failed twice/);
  assert.equal(journals.size, 0);
  assert.equal(
    runtime.call((o) => o.isActive(), true),
    false,
  );
  assert.match(start(runtime), /<objective>go<\/objective>/);
  assert.equal(view(runtime)["phase"], "working");
});

test("after many calls without a trap, another one is a first again", () => {
  const { runtime, memories, traps } = stage();
  start(runtime);
  for (let i = 0; i < 3; i++) {
    breakIt(memories.at(-1));
    for (let k = 0; k < 150; k++) runtime.handle(events.todos);
  }
  assert.equal(memories.length, 4);
  assert.equal(traps.length, 1);
  assert.equal(view(runtime)["phase"], "working");
});

test("what an instance asked for before it trapped is answered to nobody", async () => {
  const { runtime, memories, calls, answers } = stage();
  start(runtime);
  runtime.handle(events.todos);
  runtime.handle(events.ended);
  breakIt(memories[0]);
  runtime.handle(events.todos);
  assert.equal(memories.length, 2);
  assert.deepEqual(
    calls.slice(1),
    ["recovered"],
    "the event that was made again is a sign of the prompt's turn",
  );
  answers[0]?.(undefined); // the prompt was accepted, but the one who asked is gone
  await new Promise(setImmediate);
  assert.equal(memories.length, 2);
  assert.equal(view(runtime)["phase"], "working");
});

test("a trap in a future is caught, and the fresh instance goes on", async () => {
  const { runtime, memories, traps, answers } = stage();
  start(runtime);
  runtime.handle(events.todos);
  runtime.handle(events.ended);
  answers[0]?.(undefined);
  breakIt(memories[0]);
  await new Promise(setImmediate);
  assert.equal(memories.length, 2);
  assert.equal(traps.length, 1);
  assert.ok(runtime.call((o) => o.isActive(), false));
});

for (const [how, text, instances] of [
  ["is no journal", "a list of pets\n", 2],
  ["breaks the instance that reads it", BREAKS, 3],
] as const) {
  test(`a journal that ${how} takes nothing else with it at a trap, and it is named`, () => {
    const { runtime, memories, journals, traps, lost, off, notices } = stage();
    for (const session of ["ses_1", "ses_2", "ses_3"]) start(runtime, session);
    journals.set(2, `${journals.get(2)}${text}`);
    breakIt(memories[0]);
    runtime.handle(events.todos);
    assert.equal(memories.length, instances);
    assert.deepEqual(lost, ["2"]);
    assert.deepEqual([traps.length, off.length], [1, 0]);
    assert.deepEqual(
      ["ses_1", "ses_2", "ses_3"].map((session) => runtime.knows(session)),
      [true, false, true],
    );
    assert.doesNotMatch(notices.join(), /failed twice/);
  });
}

test("an earlier process's journal at which the engine breaks is refused, and the missions go on", () => {
  const { runtime, journals, notices, off } = stage();
  start(runtime);
  const journal = journals.get(1) ?? "";
  for (let i = 0; i < 3; i++)
    assert.throws(() => runtime.restore(`${journal}${BREAKS}`), /the engine fails at it/);
  assert.throws(() => runtime.restore("a list of pets\n"), /not a mission journal/);
  assert.ok(runtime.knows(session));
  assert.equal(runtime.restore(journal.replaceAll(session, "ses_2")), true);
  assert.ok(runtime.knows("ses_2"));
  assert.doesNotMatch(notices.join(), /failed twice/);
  assert.equal(off.length, 0);
});

test("when no instance can be made there is no engine, which is told once; no journal is refused for it", () => {
  const { runtime, memories, journals, off, traps, lost } = stage(1);
  start(runtime);
  breakIt(memories[0]);
  for (let i = 0; i < 3; i++) runtime.handle(events.todos);
  assert.deepEqual(off, ["no more memory"]);
  assert.deepEqual([traps.length, lost.length], [0, 0]);
  assert.ok(!runtime.isAlive);
  assert.equal(runtime.command(session, "status"), undefined);
  assert.equal(runtime.restore(journals.get(1) ?? ""), undefined);
  const never = stage(0);
  assert.equal(never.runtime.command(session, "status"), undefined);
  assert.deepEqual(never.off, ["no more memory"]);
});

test("a malformed event is an error that leaves the instance whole", () => {
  const { runtime, memories } = stage();
  start(runtime);
  for (const event of [
    {},
    { unheard: { session } },
    "unheard",
    { idle: {} },
    null,
    "idle",
    { assistant: { ...events.ended.assistant, tokens: -1 } },
  ]) {
    assert.throws(() => runtime.handle(event as never), /event/);
  }
  assert.equal(memories.length, 1);
  assert.equal(view(runtime)["phase"], "working");
});

test("two projects in one process have an engine each", () => {
  const [one, two] = [stage(), stage()];
  start(one.runtime);
  assert.equal(
    one.runtime.call((o) => o.knows(session), false),
    true,
  );
  assert.equal(
    two.runtime.call((o) => o.knows(session), true),
    false,
  );
  breakIt(one.memories[0]);
  start(two.runtime);
  assert.equal(two.traps.length, 0);
});

test("the engine is made at its first use, and not by what there is nothing to tell of", () => {
  const { runtime, memories } = stage();
  runtime.handle(events.todos);
  assert.equal(runtime.knows(session), false);
  assert.deepEqual(
    runtime.look((o) => o.views() as unknown[], []),
    [],
  );
  assert.equal(memories.length, 0);
  start(runtime);
  assert.equal(memories.length, 1);
  assert.ok(runtime.knows(session));
});
