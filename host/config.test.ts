import assert from "node:assert/strict";
import { test } from "node:test";
import { configure } from "./config";
import { isHeadlessRun, newMessageId, type Config } from "./opencode";
import { unwrap } from "./project";

const AGENTS = ["commander", "planner", "worker", "reviewer"].map((name) => ({
  name,
  description: `the ${name}`,
  prompt: `You are the ${name}.`,
}));

test("an empty configuration gets all agents and commands", () => {
  const config: Config = {};
  const ours = configure(config, AGENTS);
  assert.deepEqual([...ours].sort(), ["cancel", "mission", "stop", "task"]);
  assert.deepEqual(
    Object.entries(config.agent ?? {}).map(([name, agent]) => [name, agent?.mode]),
    [
      ["commander", "primary"],
      ["planner", "subagent"],
      ["worker", "subagent"],
      ["reviewer", "subagent"],
    ],
  );
  assert.equal(config.command?.["task"]?.agent, "commander");
});

test("peers 19: no subagent may delegate, and those that only look can't edit", () => {
  const config: Config = {};
  configure(config, AGENTS);
  const denied = (name: string) => Object.keys(config.agent?.[name]?.permission as object);
  for (const name of ["planner", "worker", "reviewer"]) {
    assert.ok(denied(name).includes("task") && denied(name).includes("delegate_task"), name);
  }
  for (const name of ["planner", "reviewer"]) assert.ok(denied(name).includes("edit"), name);
});

test("with tasks.maxDepth above 1 the tool to delegate is not taken from sub-agents", () => {
  const config: Config = {};
  configure(config, AGENTS, true);
  assert.ok(!("delegate_task" in (config.agent?.["worker"]?.permission as object)));
});

test("what the user defined wins, field by field", () => {
  const config: Config = {
    agent: {
      commander: { prompt: "Mine." },
      worker: { permission: { task: "allow", bash: "ask" } },
      planner: { permission: "allow" },
    },
    command: { task: { description: "Mine." }, mission: { template: "my own" } },
  };
  const ours = configure(config, AGENTS);
  assert.deepEqual(config.agent?.["commander"], {
    description: "the commander",
    prompt: "Mine.",
    mode: "primary",
    permission: { question: "allow" },
  });
  assert.deepEqual(config.agent?.["worker"]?.permission, {
    todowrite: "deny",
    task: "allow",
    delegate_task: "deny",
    bash: "ask",
  });
  assert.equal(config.agent?.["planner"]?.permission, "allow");
  assert.equal(config.command?.["task"]?.description, "Mine.");
  assert.ok(ours.has("task"));
  assert.equal(config.command?.["mission"]?.template, "my own");
  assert.ok(!ours.has("mission"), "a command with a template of the user's is the user's");
});

test("the commander may ask questions unless the user's own rules say something of them", () => {
  for (const [permission, expected] of [
    [undefined, { question: "allow" }],
    [{ bash: "ask" }, { question: "allow" }],
    [{ question: "deny" }, undefined],
    ["ask", undefined],
  ] as const) {
    const config: Config = { permission };
    configure(config, AGENTS);
    assert.deepEqual(config.agent?.["commander"]?.permission, expected);
  }
});

test("a command never names an agent that the user switched off", () => {
  const config: Config = { agent: { commander: { disable: true } } };
  configure(config, AGENTS);
  assert.equal(config.command?.["task"]?.agent, undefined);
});

/** How OpenCode joins the arguments of `run`, from its own text. */
const asOpenCode = (message: string[]) =>
  message.map((arg) => (arg.includes(" ") ? `"${arg.replace(/"/g, '\\"')}"` : arg)).join(" ");

test("peers 9: the quotes that `opencode run` puts around arguments are taken off, and only those", () => {
  for (const [given, expected] of [
    ['"do the thing"', "do the thing"],
    ['"say \\"hi\\" and \\\\"', 'say "hi" and \\\\'],
    ['"line one\nline two\n"', "line one\nline two\n"],
    ["word", "word"],
    ['"word"', '"word"'], // typed with its quotes: without a blank there are none of OpenCode's
    ['say "hi" there', 'say "hi" there'],
    ['"a" and "b"', '"a" and "b"'],
    ["", ""],
  ] as const) {
    assert.equal(unwrap(given), expected);
  }
  for (const typed of ["copy \\\\srv\\x here", "look in C:\\tmp x\\", 'say \\"hi\\" x', ' "a" \\\\" b\\']) {
    assert.equal(unwrap(asOpenCode([typed])), typed);
  }
});

test("`opencode run` is told from the other ways to start it", () => {
  const headless = (...args: string[]) => isHeadlessRun(["opencode", "main.js", ...args]);
  assert.ok(headless("run", "--command", "task", "x"));
  assert.ok(headless("--print-logs", "run", "serve the coffee"));
  assert.ok(!headless("serve", "--port", "1"));
  assert.ok(!headless());
  assert.ok(!headless("attach", "http://localhost", "run"));
});

test("message ids ascend within a millisecond and over time, in OpenCode's form", () => {
  const ids = [
    newMessageId(1_700_000_000_000),
    newMessageId(1_700_000_000_000),
    newMessageId(1_700_000_000_001),
  ];
  for (const id of ids) assert.match(id, /^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/);
  assert.deepEqual([...ids].sort(), ids);
});
