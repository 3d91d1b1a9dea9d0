// The same mission again and again in `opencode run`, with every core kept busy: each must end complete, with exit
// code 0 and exactly one prompt a turn end.
// Usage: node tests/e2e/soak.mjs [--times 100] [--settle 0] [--quiet-machine]
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { startModel, textOf } from "../model/server.mjs";
import { steps } from "../model/scripts.mjs";
import { sandbox } from "./opencode.mjs";

const { values } = parseArgs({
  options: {
    times: { type: "string", default: "100" },
    settle: { type: "string", default: "0" },
    "quiet-machine": { type: "boolean", default: false },
  },
});
const times = Number(values.times);
const TODOS = 3;

// a copy, so that a build in the meantime doesn't change what is measured
const folder = await mkdtemp(join(tmpdir(), "soak-"));
const pkg = resolve(dirname(fileURLToPath(import.meta.url)), "../../pkg");
await cp(pkg, join(folder, "pkg"), { recursive: true });
const plugin = [pathToFileURL(join(folder, "pkg")).href, { mission: { settleMs: Number(values.settle) } }];

const busy = values["quiet-machine"]
  ? []
  : Array.from({ length: availableParallelism() }, () =>
      spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
    );
process.on("exit", () => busy.forEach((child) => child.kill("SIGKILL")));

const model = await startModel({ script: steps(TODOS) });
const box = await sandbox({ model, plugin: [plugin] });
const done = [];
try {
  for (let i = 1; i <= times; i += 1) {
    done.push(await once(i));
    if (i % 10 === 0 || i === times) console.log(summary());
  }
} finally {
  busy.forEach((child) => child.kill("SIGKILL"));
  await box.close();
  await model.close();
  await rm(folder, { recursive: true, force: true });
}
const failed = done.filter((run) => run.wrong.length > 0).length;
console.log(`${times - failed} of ${times} complete`);
process.exitCode = failed > 0 || done.length < times ? 1 : 0;

/** One mission, and all that is wrong with it. */
async function once(nth) {
  const from = model.turns.length;
  const child = box.run(["--command", "task", `do the three things, ${nth}`]);
  const limit = setTimeout(() => child.kill("SIGKILL"), 180_000); // what hangs has failed
  const { code, signal, ms, stderr } = await child.exited;
  clearTimeout(limit);
  const requests = model.turns.slice(from);
  const asked = (requests.at(-1)?.messages ?? []).filter((m) => m.role === "user").map(textOf);
  const drainedAt = await drainStart();
  const wrong = [];
  if (code !== 0) wrong.push(`exit ${code ?? signal}`);
  if (!/complete: all 3 todos are done/.test(stderr)) wrong.push("not told as complete");
  const told = stderr.match(/continues \(/g)?.length ?? 0;
  if (told !== TODOS) wrong.push(`${told} continuations were told`);
  // a turn to plan and one for each todo, each of two requests, and no more
  if (requests.length !== 2 * (TODOS + 1)) wrong.push(`${requests.length} model requests`);
  if (asked.length !== TODOS + 1) wrong.push(`${asked.length} user messages`);
  if (new Set(asked).size !== asked.length) wrong.push("a prompt twice");
  if (wrong.length > 0) console.log(`run ${nth}: ${wrong.join(", ")}\n${stderr}`);
  const inDrain = drainedAt === undefined ? 0 : requests.filter((r) => r.time >= drainedAt).length;
  return { ms, wrong, drained: drainedAt !== undefined, inDrain };
}

/** When the host began to end with the mission still under way; undefined if it never did. From the journal. */
async function drainStart() {
  const base = join(box.xdg.state, "opencode/orchestrator");
  const journals = (await readdir(base, { recursive: true })).filter((name) => name.endsWith(".ndjson"));
  let at;
  for (const name of journals) {
    const lines = (await readFile(join(base, name), "utf8")).split("\n");
    const line = lines.find((text) => /"shutdown":\{"drain":true/.test(text));
    if (line) at = JSON.parse(line).at;
    await rm(join(base, name));
  }
  return at;
}

function summary() {
  const ms = done.map((run) => run.ms).sort((a, b) => a - b);
  const drained = done.filter((run) => run.drained);
  const requests = drained.reduce((sum, run) => sum + run.inDrain, 0);
  return [
    `${done.length} runs: ${done.filter((run) => run.wrong.length > 0).length} wrong`,
    `${done.length - drained.length} won before idle all along, ${drained.length} drained (${requests} model requests in it)`,
    `min ${ms[0]} median ${ms[ms.length >> 1]} max ${ms.at(-1)} ms`,
  ].join("; ");
}
