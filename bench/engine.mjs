// In a fresh process, Node or OpenCode's own runtime: events a second through the wasm boundary, and memory.
// Usage: engine.mjs <events> <journal: true|false>
// The mix is that of examples/engine_bench.rs: a turn of four tool calls, a todo list of ten, texts, the natural end, our
// continuation with its reply, idle. The events are made beforehand; making them is the host's work.
import { readFileSync } from "node:fs";
import { instantiate } from "../target/wasm/engine/glue.js";

const [count, journal] = [Number(process.argv[2]), process.argv[3] === "true"];
const SESSION = "ses_bench";
const STEPS = 4;
const BATCH = 200;
/** A mission may send 10,000 continuations. */
const TURNS_A_MISSION = 5_000;
/** Events until all of what is remembered is at its bound: that of sixteen ended missions, one every 65,000 events. */
const WARM_UP = 1_200_000;

const module = new WebAssembly.Module(readFileSync(new URL("../pkg/engine.wasm", import.meta.url)));
const glue = instantiate(queueMicrotask);
const { memory } = glue.initSync({ module });

let now = 1_700_000_000_000;
let events = 0;
let prompts = 0;
const host = {
  now: () => (now += 3),
  prompt() {
    prompts += 1;
    events += 1; // its reply
    return Promise.resolve();
  },
  setAlarm() {},
  notify() {},
  log() {},
  journal() {},
};
const options = {
  mission: { maxIterations: 10_000, maxMinutes: 100_000, maxTokens: 9e12 },
  journal: { enabled: journal },
};
const orchestrator = new glue.Orchestrator(host, options, 1, true);
if (orchestrator.optionMessages().length > 0) throw new Error(orchestrator.optionMessages().join("\n"));

const handle = (event) => orchestrator.handle(JSON.stringify(event));

const assistant = (number, ending) => ({
  assistant: {
    session: SESSION,
    message: `msg_${String(number).padStart(12, "0")}`,
    ending,
    summary: false,
    tokens: 1200,
    cost: 0.0021,
  },
});

function toolCall(turn, step) {
  const path = `src/file_${(turn + step) % 50}.rs`;
  return {
    call: `call_${turn}_${step}`,
    tool: ["read", "edit", "bash", "grep"][step],
    kind: ["read", "edit", "run", "other"][step],
    args: `{"path":"${path}","n":${turn}}`,
    output: `output of step ${step} in turn ${turn}`,
    failed: false,
    reads: step === 0 ? [path] : [],
    writes: step === 1 ? [{ path, content: `content ${turn}` }] : [],
    diagnostics: null,
  };
}

// a list that was told before would be read again before it is believed
const todos = (turn) =>
  Array.from({ length: 10 }, (_, i) => ({
    content: `step ${i} of the plan, as of turn ${turn}`,
    status: i < turn % 9 ? "completed" : "pending",
  }));

/** The work of one turn as the calls that the host makes. */
function work(turn) {
  const calls = [() => handle(busy)];
  const busy = { busy: { session: SESSION } };
  for (let step = 0; step < STEPS; step += 1) {
    const call = toolCall(turn, step);
    const end = assistant(turn * 10 + step, "step");
    calls.push(() => orchestrator.observeTool(SESSION, JSON.stringify(call)));
    calls.push(() => handle(end));
  }
  const list = { todos: { session: SESSION, todos: todos(turn) } };
  const end = assistant(turn * 10 + 9, "natural");
  calls.push(() => handle(list));
  calls.push(() => orchestrator.observeText(SESSION, `The end of turn ${turn}.`));
  calls.push(() => handle(end));
  return calls;
}

const idle = { idle: { session: SESSION } };
const spent = { ms: 0, cpuMs: 0 };
let turn = 0;

async function batch() {
  const turns = Array.from({ length: BATCH }, () => work(turn++));
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (const calls of turns) {
    for (const call of calls) call();
    // the prompt's reply arrives; a trip round the event loop, which is none of ours, would be a tenth of the time
    for (const before = now; now === before;) await null;
    handle(idle);
    events += calls.length + 1;
  }
  const { user, system } = process.cpuUsage(cpu);
  spent.ms += performance.now() - start;
  spent.cpuMs += (user + system) / 1000;
  if (turn % TURNS_A_MISSION === 0) begin();
}

function begin() {
  orchestrator.command(SESSION, JSON.stringify({ task: { objective: "make it fast" } }));
  handle({
    userMessage: { session: SESSION, origin: "command", agent: "commander", model: null },
  });
}

begin();
while (events < WARM_UP) await batch();
Object.assign(spent, { ms: 0, cpuMs: 0 });
const [first, before] = [events, memory.buffer.byteLength];
while (events < first + count) await batch();
if (prompts !== turn) throw new Error(`${prompts} continuations in ${turn} turns`);
console.log(
  JSON.stringify({
    runtime: process.versions.bun ? `bun ${process.versions.bun}` : `node ${process.versions.node}`,
    journal,
    events: events - first,
    eventsPerSecond: Math.round((events - first) / (spent.ms / 1000)),
    eventsPerCpuSecond: Math.round((events - first) / (spent.cpuMs / 1000)),
    wasmMemoryBytes: memory.buffer.byteLength,
    wasmMemoryGrowthBytes: memory.buffer.byteLength - before,
  }),
);
