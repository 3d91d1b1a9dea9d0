// Missions in `opencode run --command task`, where the program ends at the first idle: what is not continued before
// it goes on inside the `dispose` hook (the drain). With `settleMs` all of it does.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { failing, steps, stuck } from "../model/scripts.mjs";
import {
  forever,
  malformed,
  rateLimited,
  startModel,
  text,
  textOf,
  todos,
  tool,
  unauthorized,
} from "../model/server.mjs";
import { alive, ourPlugin, sandbox } from "./opencode.mjs";

const DRAIN = { mission: { settleMs: 200 } };
/** Another plugin that keeps each of our prompts from being stored for a while: it is there only after the idle. */
const SLOW = `export const Slow = async () => ({
  "chat.message": async (_input, { parts }) => {
    if (parts.some((p) => p.metadata?.orchestrator)) await new Promise((done) => setTimeout(done, 400));
  },
});`;

const model = await startModel({ agents: { commander: /You are the Commander/ } });
const box = await sandbox({ model });
after(async () => {
  await box.close();
  await model.close();
});
let projects = 0;

/** `opencode run` with these arguments, in a project of its own or the given one. */
async function run(args, script, setup = {}) {
  const { options = {}, plugin = [ourPlugin(options)], config = {}, files = {}, cwd = undefined } = setup;
  const path = cwd ?? join(box.dir, `project-${(projects += 1)}`);
  if (!cwd) await box.makeProject(path, { plugin, config, files });
  const from = model.turns.length;
  model.script = script;
  const child = box.run(args, { cwd: path });
  const limit = setTimeout(() => child.kill("SIGKILL"), 90_000); // what hangs has failed
  child.exited.then(() => clearTimeout(limit));
  return {
    ...child,
    cwd: path,
    /** The model requests of this run. */
    requests: () => model.turns.slice(from),
    /** The user messages in the order in which the model saw them. */
    prompts: () =>
      (model.turns.slice(from).at(-1)?.messages ?? []).filter((m) => m.role === "user").map(textOf),
    asked: (turn) => model.waitFor(() => model.turns.slice(from).find((r) => r.turn === turn), 30_000),
  };
}
const task = (script, setup = {}) =>
  run(["--command", "task", setup.objective ?? "do the things"], script, setup);

async function until(holds, what) {
  for (const end = Date.now() + 30_000; !holds(); await new Promise((done) => setTimeout(done, 20)))
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
}

/** The journals of a project, by name; those of ended missions are in `done`. */
async function journals(cwd) {
  const folders = join(box.xdg.state, "opencode/orchestrator");
  const all = existsSync(folders) ? await readdir(folders, { recursive: true }) : [];
  const own = all.filter((name) => name.startsWith(`${cwd.split("/").at(-1)}-`) && name.endsWith(".ndjson"));
  return Promise.all(own.map(async (name) => ({ name, text: await readFile(join(folders, name), "utf8") })));
}

/** A mission of `n` todos went its way: a turn to plan and one for each todo, each asked for once. */
function assertExact(it, n) {
  const prompts = it.prompts();
  assert.equal(it.requests().length, 2 * (n + 1), prompts.join("\n---\n"));
  assert.equal(prompts.length, n + 1, prompts.join("\n---\n"));
  assert.equal(new Set(prompts).size, n + 1);
}

test("peers 5, 6, 9: a mission ends complete with code 0; its progress is printed; the objective arrives as typed", async () => {
  const objective = 'First "line" \\ one, \\"two\\" \\\\srv\\x\n- second <line> C:\\tmp\\';
  const it = await task(steps(3), { objective });
  const { code, stdout, stderr } = await it.exited;
  assert.equal(code, 0, stderr);
  assertExact(it, 3);
  const marks = { '"': "&quot;", "<": "&lt;", ">": "&gt;" };
  const told = `<objective>${objective.replace(/["<>]/g, (mark) => marks[mark])}</objective>`;
  assert.ok(it.requests()[0].user.includes(told), it.requests()[0].user);
  assert.ok(it.requests().every((r) => r.agent === "commander"));
  assert.match(stderr, /Mission 1: started/);
  assert.match(stderr, /Mission 1: continues \(1 of at most 50; 0 of 3 todos done\)/);
  assert.match(stderr, /Mission 1: continues \(3 of at most 50; 2 of 3 todos done\)/);
  assert.match(stderr, /Mission 1: complete: all 3 todos are done/);
  assert.match(stdout, /Planned 3 steps/);
  assert.doesNotMatch(stdout, /Mission 1/);
});

test("peers 5: a mission that misses every margin is carried to its end inside `dispose`, also by two copies", async () => {
  await cp(fileURLToPath(ourPlugin()), join(box.dir, "copy"), { recursive: true });
  const plugin = [ourPlugin(DRAIN), [pathToFileURL(join(box.dir, "copy")).href, DRAIN]];
  const it = await task(steps(3), { plugin });
  const { code, stderr } = await it.exited;
  assert.equal(code, 0, stderr);
  assertExact(it, 3);
  const [{ name, text }] = await journals(it.cwd);
  assert.match(name, /\/done\//);
  assert.match(text, /"shutdown":\{"drain":true/);
  const { stdout } = await box.start(["export", it.requests()[0].session], { cwd: it.cwd }).exited;
  const history = JSON.parse(stdout.slice(stdout.indexOf("{"))).messages;
  const asked = history.filter(({ info }) => info.role === "user");
  assert.equal(asked.length, 4);
  for (const [i, { parts }] of asked.entries()) {
    const [shown, told] = [true, false].map((ignored) =>
      parts.filter((p) => p.type === "text" && (p.ignored ?? false) === ignored),
    );
    assert.equal(told.length, 1);
    assert.equal(shown.length, i === 0 ? 1 : 0); // what the person typed
  }
});

test("peers 5: a prompt that is stored just after the idle gets one turn, not two", async () => {
  const it = await task(steps(2), { files: { ".opencode/plugin/slow.js": SLOW } });
  const { code, stderr } = await it.exited;
  assert.equal(code, 0, stderr);
  assertExact(it, 2);
});

test("completion.command: the turn is held until it has ended; failing, it leads to another turn", async () => {
  const command = "sleep 0.5; date +%s%3N >> checks; [ $(wc -l < checks) -ge 2 ]";
  const it = await task(steps(1), { options: { completion: { command } } });
  const { code, stderr } = await it.exited;
  assert.equal(code, 0, stderr);
  const checks = (await readFile(join(it.cwd, "checks"), "utf8")).trim().split("\n").map(Number);
  assert.equal(checks.length, 2);
  const [, , , answer, again] = it.requests();
  assert.ok(answer.time >= checks[0], "the model answered before the command had ended");
  assert.match(again.user, /<output exit="1">/);
  assert.equal(it.requests().length, 5);
  assert.match(stderr, /continues: the completion command failed/);
});

for (const signal of ["SIGINT", "SIGKILL"]) {
  test(`completion.command: it goes with OpenCode when that is ended by ${signal}`, async () => {
    const command = "sleep 300 & echo $! > pid.new; mv pid.new pid; wait";
    const it = await task(steps(1), { options: { completion: { command } } });
    const path = join(it.cwd, "pid");
    await until(() => existsSync(path), "the command runs");
    const pid = Number(await readFile(path, "utf8"));
    it.kill(signal);
    await it.exited;
    await until(() => !alive(pid), "the command has gone");
  });
}

test("a stuck mission ends with code 1 and one line that says why", async () => {
  const it = await task(stuck());
  const { code, stderr } = await it.exited;
  assert.equal(code, 1);
  assert.equal(stderr.match(/no progress in 3 turns/g)?.length, 1, stderr);
  assert.match(stderr, /a change of strategy is forced/);
});

test("401: ends with code 1 and the provider's reason", async () => {
  const it = await task(() => unauthorized());
  const { code, stderr } = await it.exited;
  assert.equal(code, 1);
  assert.equal(stderr.match(/^Mission 1: stopped: .*401.*Incorrect API key/gm)?.length, 1, stderr);
  assert.equal(it.requests().length, 1);
});

test("peers 4: a rate limit that outlives OpenCode's retries is waited for inside the drain", async () => {
  const it = await task(
    failing(() => rateLimited(1), { inner: steps(1), when: (ctx) => ctx.turn === 2, times: 99 }),
  );
  const { code, stderr } = await it.exited;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Rate limit reached.*Next try in 1\d s/);
  assert.equal(it.prompts().length, 3); // the plan, the turn that failed, the one after the wait
  assert.match(it.prompts()[2], /interrupted/);
});

test("peers 4: a malformed answer inside the drain is followed by another try", async () => {
  const it = await task(
    failing(() => malformed(), { inner: steps(2), when: (ctx) => ctx.turn === 2 }),
    {
      options: DRAIN,
    },
  );
  const { code, stderr } = await it.exited;
  assert.equal(code, 0, stderr);
  assert.equal(it.prompts().length, 4);
});

for (const [where, options] of [
  ["", {}],
  [" inside the drain", DRAIN],
]) {
  test(`peers 15: a permission request${where} is refused, and the mission goes on`, async () => {
    const it = await task(
      (ctx) => {
        if (ctx.messages.at(-1).role === "tool") return text("That was it.");
        if (ctx.turn === 1) return todos([["a", "pending"]]);
        if (ctx.turn === 2) return tool("bash", { command: "touch made", description: "make a file" });
        return todos([["a", "completed"]]);
      },
      { options, config: { permission: { bash: "ask" } } },
    );
    const { code, stderr } = await it.exited;
    assert.equal(code, 0, stderr);
    assert.equal(existsSync(join(it.cwd, "made")), false);
    assert.equal(it.prompts().length, 3);
  });

  test(`peers 2: Ctrl-C in a turn${where} ends it at once; the journal is left`, async () => {
    const it = await task((ctx) => (ctx.turn < 2 ? steps(3)(ctx) : forever()), { options });
    await it.asked(2);
    it.kill("SIGINT");
    const { code, signal } = await it.exited; // the model's answer has no end
    assert.ok(signal === "SIGINT" || code === 130, `${code} ${signal}`);
    assert.equal(it.requests().filter((r) => r.turn >= 2).length, 1);
    const left = await journals(it.cwd);
    assert.deepEqual(
      left.map(({ name }) => name.includes("/done/")),
      [false],
    );
    if (where) return;

    const plain = await run(["hi"], () => text("Hello."), { cwd: it.cwd });
    const next = await plain.exited;
    assert.equal(next.code, 0, "an unfinished mission is no failure of another run");
    assert.match(next.stderr, /Mission 1: "do the things" is unfinished/);
    assert.equal(plain.requests().length, 1);

    const resumed = await run(
      ["--command", "task"],
      (ctx) => (/goes on/.test(ctx.user) ? text("Yes.") : steps(3)(ctx)),
      {
        cwd: it.cwd,
      },
    );
    const end = await resumed.exited;
    assert.match(end.stderr, /Mission 1: complete: all 3 todos are done/);
    assert.equal(end.code, 0, end.stderr);
  });
}

test("without a mission `opencode run` is left as it is", async () => {
  const good = await (await run(["hi"], () => text("Hello."))).exited;
  assert.equal(good.code, 0);
  assert.match(good.stdout, /Hello\./);
  const bad = await (await run(["hi"], () => unauthorized())).exited;
  assert.equal(bad.code, 1);
  assert.doesNotMatch(good.stdout + good.stderr + bad.stdout + bad.stderr, /mission|orchestrator/i);
});

test("nothing outside was asked for", () => {
  assert.deepEqual(box.outside, []);
});
