// What is left of a mission when OpenCode dies, and how it goes on afterwards.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { steps } from "../model/scripts.mjs";
import { forever, rateLimited, startModel, text } from "../model/server.mjs";
import { ourPlugin, sandbox } from "./opencode.mjs";

const model = await startModel();
const box = await sandbox({ model, plugin: [ourPlugin({})] });
after(async () => {
  await box.close();
  await model.close();
});
/** How the mission's session is answered; others only repeat what a command of ours tells them. */
let script = steps(3);
let mission = "";
model.script = (ctx) => (ctx.session === mission ? script(ctx) : text(ctx.user));
beforeEach(() => {
  mission = "";
});

const use = (plugin) => writeFile(join(box.project, "opencode.json"), JSON.stringify({ plugin: [plugin] }));
const configure = (options) => use(ourPlugin(options));
const folder = async () => {
  const base = join(box.xdg.state, "opencode/orchestrator");
  return existsSync(base) ? join(base, (await readdir(base))[0]) : undefined;
};
const files = async () => {
  const path = await folder();
  return path ? (await readdir(path, { recursive: true })).sort() : [];
};
const toast = (server, pattern, from = 0) =>
  server.events.waitFor(
    (e) => e.type === "tui.toast.show" && pattern.test(e.properties.message),
    40_000,
    from,
  );
const requests = () => model.turns.filter((r) => r.session === mission);

/** Starts a server and a mission in it. */
async function begin(first, env = {}) {
  script = first;
  const server = await box.serve({ env });
  mission = (await server.client.createSession()).id;
  server.client.command(mission, "task", "do the three things").catch(() => undefined);
  return server;
}

async function killHard(server) {
  server.kill("SIGKILL");
  await server.exited;
}

/** A new session's answer to a command: what the person reads. */
async function ask(server, command) {
  const { id } = await server.client.createSession();
  const { parts } = await server.client.command(id, command);
  return parts.map((p) => p.text ?? "").join("\n");
}

/** The mission's user messages. All turns were asked for once, and the todos are all done. */
async function history(server) {
  const messages = await server.client.messages(mission);
  const asked = messages.filter((m) => m.info.role === "user");
  const done = await server.client.todos(mission);
  assert.deepEqual(
    done.map((t) => t.status),
    Array(3).fill("completed"),
  );
  for (const { messages } of requests()) {
    const text = JSON.stringify(messages);
    assert.equal(
      text.split("<objective>do the three things</objective>").length,
      2,
      "told once, whatever came between",
    );
    assert.ok(!text.includes("/task do"), "what was typed is for the person");
  }
  for (const turn of requests().filter((r) => r.step === 0))
    assert.equal(requests().filter((r) => r.step === 0 && r.turn === turn.turn).length, 1, turn.user);
  return asked.map((m) => m.parts.map((p) => p.text ?? "").join("\n"));
}

test("peers 11: kill -9 in a turn; nothing happens by itself; the next message resumes it; a second OpenCode does not", async () => {
  await configure({});
  const first = await begin((ctx) => (ctx.turn === 2 ? forever() : steps(3)(ctx)));
  await model.waitFor(() => requests().some((r) => r.turn === 2));

  const other = await box.serve();
  assert.doesNotMatch(await ask(other, "mission"), /mission 1/i);
  assert.deepEqual(other.events.of("tui.toast.show"), []);
  await other.stop();
  await killHard(first);

  // what a crash, an older version and other programs may leave there
  const [journal] = (await files()).filter((name) => name.endsWith(".ndjson"));
  const path = await folder();
  await appendFile(join(path, journal), '{"at":17000000,"event":{"id');
  await writeFile(join(path, "empty.ndjson"), "");
  await writeFile(join(path, "foreign.ndjson"), '{"name":"a list of pets"}\n');
  await writeFile(join(path, "older.ndjson"), '{"journal":1,"policy":{},"mission":{}}\n');
  await writeFile(join(path, "notes.txt"), "not a journal");

  const second = await box.serve();
  await toast(second, /^Mission 1: "do the three things" is unfinished/);
  assert.match(await ask(second, "mission"), /mission 1 in session ses_\w+: interrupted by a restart/);
  assert.equal(requests().at(-1).turn, 2, "it went on by itself");
  const left = await files();
  for (const name of ["empty", "foreign", "older"]) {
    assert.ok(left.includes(`${name}.ndjson.unreadable`), `${left}`);
    await toast(second, new RegExp(`can't be taken up again: .*/${name}.ndjson.unreadable$`));
  }
  assert.ok(left.includes("notes.txt"));

  script = steps(3);
  await second.client.promptAsync(mission, "Go on, please.");
  await toast(second, /complete/);
  const asked = await history(second);
  assert.equal(asked.length, 5, asked.join("\n---\n")); // the plan, the killed turn, the person's, and two more
  assert.equal(asked[2], "Go on, please.");
  await second.stop();
});

test("peers 11: kill -9 between two turns; /task without an objective resumes it in its session", async () => {
  await configure({ mission: { settleMs: 60_000 } });
  const first = await begin(steps(3));
  await first.events.idle(mission);
  await killHard(first);

  await configure({});
  const second = await box.serve();
  await toast(second, /is unfinished/);
  assert.equal(requests().length, 2);
  await second.client.command(mission, "task");
  await toast(second, /complete/);
  const asked = await history(second);
  assert.equal(asked.length, 4, asked.join("\n---\n"));
  assert.match(asked[1], /The work was interrupted/);
  await second.stop();

  const third = await box.serve();
  const session = mission;
  mission = ""; // what the command gives the model comes back
  const { parts } = await third.client.command(session, "mission");
  assert.match(parts.map((part) => part.text ?? "").join("\n"), /complete: all 3 todos are done/);
  assert.doesNotMatch(await ask(third, "mission"), /complete/, "it was another session's");
  await third.stop();
});

test("peers 4, 11: kill -9 while it waits for the provider; /task in another session resumes it", async () => {
  await configure({});
  const first = await begin((ctx) => (ctx.turn === 2 ? rateLimited(1) : steps(3)(ctx)));
  await toast(first, /Next try in/);
  await killHard(first);

  const before = requests().length;
  const second = await box.serve();
  await toast(second, /is unfinished/);
  assert.equal(requests().length, before);
  script = steps(3);
  model.requests.splice(0); // the refused turn was tried several times
  assert.match(await ask(second, "task"), /goes on in its own session/);
  await toast(second, /complete/);
  const asked = await history(second);
  assert.equal(asked.length, 5, asked.join("\n---\n"));
  await second.stop();
});

for (const [reads, how, verdict] of [
  [2, "twice: it is read again", /complete: all 3 todos are done/],
  [99, "for ever: never done, stopped with the reason", /stopped: .*the database is locked/],
]) {
  test(`peers 10: after a restart the todos can't be read, ${how}`, async () => {
    await configure({ mission: { settleMs: 60_000 } });
    const first = await begin(steps(3));
    await first.events.idle(mission);
    await killHard(first);

    const wrapper = fileURLToPath(new URL("plugins/failing-todos.mjs", import.meta.url));
    await use([wrapper, { package: ourPlugin(), reads }]);
    const second = await box.serve();
    await toast(second, /is unfinished/);
    await ask(second, "task"); // from another session: the list is read before anything is sent
    await toast(second, verdict);
    assert.equal(requests().filter((r) => r.step === 0).length, reads > 2 ? 1 : 4);
    await second.stop();
  });
}

test("the user's folder stays as it was; without a journal a mission works and leaves nothing", async () => {
  const before = await files();
  assert.ok(before.length > 0 && before.every((name) => !name.endsWith(".lock")), `${before}`);
  await configure({ journal: { enabled: false } });
  const server = await begin(steps(3));
  await toast(server, /complete/);
  assert.equal((await history(server)).length, 4);
  await server.stop();
  assert.deepEqual(await files(), before);
  const changed = execFileSync("git", ["status", "--porcelain", "--ignored"], {
    cwd: box.project,
    encoding: "utf8",
  });
  assert.equal(changed.trim(), "M opencode.json"); // by this test
});

test("a journal that can't be written stops no mission", async () => {
  await configure({});
  const state = join(box.dir, "other-state");
  await mkdir(join(state, "opencode"), { recursive: true });
  await writeFile(join(state, "opencode/orchestrator"), "a file where a folder should be");
  const server = await begin(steps(3), { XDG_STATE_HOME: state });
  await toast(server, /complete/);
  assert.equal((await history(server)).length, 4);
  await server.stop();
});

test("nothing outside was asked for", () => {
  assert.deepEqual(box.outside, []);
});
