// How the plugin lives inside OpenCode: loaded once or twice, packed, for two projects, disposed and reloaded, and
// beside what the user configured.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { steps } from "../model/scripts.mjs";
import { forever, startModel, text } from "../model/server.mjs";
import { ourPlugin, sandbox } from "./opencode.mjs";

const exec = promisify(execFile);
const root = resolve(fileURLToPath(import.meta.url), "../../..");

const scripts = new Map();
const model = await startModel({ agents: { commander: /You are the Commander/ } });
model.script = (ctx) => (scripts.get(ctx.session) ?? (() => text(ctx.user)))(ctx);

// the plugin is in the global configuration, as someone who has unpacked it somewhere would have it
const box = await sandbox({ model });
const packed = await pack();
const globalFile = join(box.xdg.config, "opencode/opencode.json");
const before = JSON.parse(await readFile(globalFile, "utf8"));
await writeFile(globalFile, JSON.stringify({ ...before, plugin: [[packed, { notify: { toasts: true } }]] }));
const server = await box.serve();
after(async () => {
  await box.close();
  await model.close();
});

/** The package as npm packs it, unpacked where nothing else is. */
async function pack() {
  const { stdout } = await exec("npm", ["pack", join(root, "pkg"), "--json", "--pack-destination", box.dir], {
    env: { ...box.env, npm_config_cache: join(box.dir, "npm"), npm_config_update_notifier: "false" },
  });
  const [{ filename, files }] = JSON.parse(stdout);
  assert.deepEqual(files.map((f) => f.path).sort(), [
    "LICENSE",
    "README.md",
    "code-browser-worker.js",
    "code-browser.d.ts",
    "code-browser.js",
    "code-worker.js",
    "code.d.ts",
    "code.js",
    "engine.wasm",
    "index.d.ts",
    "index.js",
    "options.schema.json",
    "package.json",
    "plugin.js",
    "search-plain.wasm.br",
    "search.data.gz",
    "search.wasm",
    "syntax-more.wasm.gz",
    "syntax-rules.wasm.gz",
    "syntax.data",
    "syntax.wasm",
  ]);
  await exec("tar", ["xzf", filename], { cwd: box.dir });
  return pathToFileURL(join(box.dir, "package")).href;
}

async function project(name, setup = {}) {
  const client = server.clientFor(await box.makeProject(join(box.dir, name), setup));
  await client.events.open();
  return client;
}

/** A mission in a new session. */
async function mission(client, script, objective = "Do it.") {
  const { id } = await client.createSession();
  scripts.set(id, script);
  const sent = client.command(id, "task", objective).catch(() => undefined);
  return { id, sent };
}
const toast = (client, pattern, from = 0) =>
  client.events.waitFor(
    (e) => e.type === "tui.toast.show" && pattern.test(e.properties.message),
    30_000,
    from,
  );
const toasts = (client) => client.events.of("tui.toast.show").map((e) => e.properties.message);
const asked = async (client, id) => (await client.messages(id)).filter((m) => m.info.role === "user").length;

test("the packed package works from an unpacked folder elsewhere, without node_modules", async () => {
  const { id } = await mission(server.client, steps(2));
  await toast(server.client, /complete: all 2 todos are done/);
  assert.equal(await asked(server.client, id), 3);
});

for (const [name, plugin] of [
  ["the same path in the global and the project's configuration", packed],
  ["two copies of it", ourPlugin()],
]) {
  test(`peers 5: configured twice, ${name}: it works once`, async () => {
    const client = await project(name.replaceAll(/\W+/g, "-"), { plugin: [plugin] });
    const { id } = await mission(client, steps(3));
    await toast(client, /complete/);
    assert.equal(await asked(client, id), 4);
    assert.equal(model.turns.filter((r) => r.session === id).length, 8);
    assert.equal(toasts(client).filter((t) => /started/.test(t)).length, 1);
    assert.equal((await client.agents()).filter((a) => a.name === "commander").length, 1);
  });
}

test("peers 5: two copies with other options: the project's are in force, not the global configuration's", async () => {
  const options = { completion: { command: "touch checked" } };
  const client = await project("more-options", { plugin: [ourPlugin(options)] });
  await mission(client, steps(1));
  await toast(client, /complete/);
  assert.ok((await readdir(join(box.dir, "more-options"))).includes("checked"));
});

test("peers 25: two projects in one server are kept apart", async () => {
  const [one, two] = [await project("one"), await project("two")];
  const missions = [await mission(one, steps(3), "First."), await mission(two, steps(2), "Second.")];
  await Promise.all([toast(one, /complete: all 3/), toast(two, /complete: all 2/)]);
  assert.equal(await asked(one, missions[0].id), 4);
  assert.equal(await asked(two, missions[1].id), 3);
  assert.equal((await two.todos(missions[1].id)).length, 2);
  for (const client of [one, two]) {
    assert.ok(toasts(client).every((t) => t.startsWith("Mission 1:"))); // each counts its own
    assert.equal(toasts(client).filter((t) => /started/.test(t)).length, 1);
  }
  const folders = await readdir(join(box.xdg.state, "opencode/orchestrator"));
  assert.equal(folders.filter((f) => /^(one|two)-[0-9a-f]+$/.test(f)).length, 2);
});

for (const [when, options, script, asks] of [
  ["between two turns", { mission: { settleMs: 60_000 } }, steps(2), 3],
  ["in a turn", {}, (ctx) => (ctx.turn === 2 ? forever() : steps(2)(ctx)), 4],
]) {
  test(`peers 25: dispose and reload ${when}: the mission waits and is resumed`, async () => {
    const name = `disposed-${when.replaceAll(" ", "-")}`;
    const client = await project(name, { plugin: [[packed, options]] });
    const { id } = await mission(client, script);
    if (asks === 4) await model.waitFor(() => model.turns.some((r) => r.session === id && r.turn === 2));
    else await client.events.idle(id);
    const before = model.turns.filter((r) => r.session === id).length;
    // read by the next instance, whoever asks for it first
    await writeFile(join(box.dir, name, "opencode.json"), JSON.stringify({ plugin: [packed] }));
    await client.dispose();
    await client.events.waitFor((e) => e.type === "server.instance.disposed");
    client.events.close();
    const from = client.events.mark;
    await client.events.open();
    await toast(client, /is unfinished/, from);
    assert.equal(model.turns.filter((r) => r.session === id).length, before);
    scripts.set(id, steps(2));
    await client.promptAsync(id, "Go on.");
    await toast(client, /complete/, from);
    assert.equal(await asked(client, id), asks);
  });
}

test("what the user defined under our names wins, field by field", async () => {
  const client = await project("mine", {
    config: {
      agent: {
        commander: { description: "My own.", color: "#ff0000" },
        worker: { permission: { bash: "deny" } },
      },
      command: { mission: { template: "Tell me about $ARGUMENTS.", description: "My words." } },
    },
  });
  const agents = Object.fromEntries((await client.agents()).map((a) => [a.name, a]));
  assert.equal(agents.commander.description, "My own.");
  assert.equal(agents.commander.color, "#ff0000");
  assert.match(agents.commander.prompt, /You are the Commander/);
  const commands = Object.fromEntries((await client.commands()).map((c) => [c.name, c]));
  assert.equal(commands.mission.description, "My words.");
  assert.equal(commands.task.agent, "commander");

  const { id } = await client.createSession();
  const { parts } = await client.command(id, "mission", "mars");
  assert.equal(parts.find((p) => p.type === "text").text, "Tell me about mars.");
});

test("a user's own `task` command stays the user's: no mission starts", async () => {
  const client = await project("own", { config: { command: { task: { template: "Say $ARGUMENTS." } } } });
  const { id } = await client.createSession();
  const { parts } = await client.command(id, "task", "hello");
  assert.equal(parts.find((p) => p.type === "text").text, "Say hello.");
  assert.deepEqual(toasts(client), []);
});

test("peers 27: nothing outside was asked for, and the plugin failed nowhere", async () => {
  assert.deepEqual(box.outside, []);
  const log = await box.log();
  assert.doesNotMatch(log, /service=plugin.*(error|failed)/i);
  assert.doesNotMatch(server.out.stderr, /orchestrator/i);
});
