// Missions in the TUI, under tmux: what a person types, and what they see.
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { after, test } from "node:test";
import { steps } from "../model/scripts.mjs";
import { forever, startModel, text } from "../model/server.mjs";
import { ourPlugin, sandbox } from "./opencode.mjs";

let script = steps(3);
const model = await startModel({ agents: { commander: /You are the Commander/ } });
// what a command tells the person is repeated, as the model is asked to
model.script = (ctx) => {
  const shown = /^([^]*)\n\nShow the lines above/.exec(ctx.user)?.[1];
  return shown === undefined ? script(ctx) : text(shown);
};
const box = await sandbox({ model, plugin: [ourPlugin({})] });
after(async () => {
  await box.close();
  await model.close();
});

const SIZE = { columns: 140, rows: 48 };
let screen = await box.tui([], SIZE);
await screen.waitForScreen(/Ask anything/);

/** Types a line and sends it. */
async function say(line) {
  await screen.type(line);
  await screen.waitForScreen((shown) => shown.includes(line));
  await screen.press("Enter");
}
/** Types a command without arguments: Enter first takes it from the list that opens, then sends it. */
async function command(name, description) {
  await screen.type(name);
  await screen.waitForScreen(description);
  await screen.press("Enter");
  await screen.waitForScreen((shown) => !description.test(shown) && shown.includes(name));
  await screen.press("Enter");
}
const showMission = () => command("/mission", /Show the mission/);
/** OpenCode draws no toast for a while when one was on the screen as the session changed: wait until it is gone. */
async function newSession() {
  await see((shown) => !shown.includes("Orchestrator"));
  await screen.press("C-x", "n");
  await see(/Ask anything/);
}
/** Waits for the screen to show this; with `$SCREENS` every screen that was waited for is kept in that file. */
async function see(pattern, timeoutMs = 30_000) {
  const shown = await screen.waitForScreen(pattern, timeoutMs);
  if (process.env.SCREENS) await appendFile(process.env.SCREENS, `=== ${pattern}\n${shown}\n`);
  return shown;
}
const asked = (test) => model.waitFor(() => model.turns.find(test), 30_000);

test("/task typed in the TUI runs to its end, with toasts", async () => {
  await say("/task do the three things");
  const shown = await see(/Mission 1: continues \(\d of at most 50/);
  await see(/Mission 1: complete: all 3 todos are done/);
  // the person's message is what was typed; what the model got in its place is not drawn
  assert.match(shown, /\/task do the three things/);
  assert.doesNotMatch(shown, /<\/?(mission|objective)/);
  assert.match(model.turns[0].user, /^<mission id="\d+">\n<objective>do the three things<\/objective>/);
  assert.equal(model.turns.length, 8);
  assert.ok(model.turns.every((r) => r.agent === "commander"));
});

test("/mission shows how it went", async () => {
  await showMission();
  const shown = await see(/all-done: complete/);
  assert.match(shown, /Used: 3 of 50 continuations/);
  assert.match(shown, /\[x\] step 3/);
});

test("peers 2: Esc twice while the answer streams pauses it: nothing is sent until the person writes", async () => {
  script = (ctx) => (ctx.turn === 1 ? forever() : steps(3)(ctx));
  await newSession();
  await say("/task do them again");
  const streaming = await asked((r) => r.turn === 1 && r.user.includes("do them again"));
  await see(/word\d+ /);
  await screen.press("Escape");
  await see(/again to interrupt/);
  await screen.press("Escape");
  await see(/Mission 2: paused/);
  await model.waitFor(() => streaming.aborted);

  const before = model.turns.length;
  await showMission();
  await see(/Mission 2: paused/);
  await asked((r) => /user-abort: you aborted the turn/.test(r.user));
  assert.equal(model.turns.length, before + 1); // that command's own

  script = steps(3);
  await say("go on now");
  await see(/Mission 2: complete: all 3 todos are done/);
});

test("peers 2: /stop stops a mission in the middle of a turn", async () => {
  script = () => forever();
  await newSession();
  await say("/task and once more");
  const streaming = await asked((r) => r.user.includes("and once more"));
  await see(/word\d+ /);
  await command("/stop", /Stop the mission/);
  await model.waitFor(() => streaming.aborted);
  await see(/Mission 3: stopped by you/);
  await asked((r) => r.session === streaming.session && /stopped by you/.test(r.user));
  await see(/user-stop: stopped by you/);
  assert.equal(model.turns.filter((r) => r.session === streaming.session).length, 2); // the turn, and that command's own
});

test("peers 11: after kill -9 the next start tells of the unfinished mission, and /task goes on with it", async () => {
  script = (ctx) => (ctx.turn === 2 ? forever() : steps(3)(ctx));
  await newSession();
  await say("/task the last one");
  await see(/word\d+ /);
  process.kill(screen.pid, "SIGKILL");
  const before = model.turns.length;
  script = steps(3);
  screen = await box.tui(["--continue"], SIZE);
  await see(/Mission 4: "the last one" is unfinished/);
  assert.equal(model.turns.length, before);
  await command("/task", /Run a mission/);
  await see(/Mission 4: complete: all 3 todos are done/);
  assert.equal(model.turns.at(-1).turn, 5); // the plan, the killed turn, and one for each todo
});

test("nothing outside was asked for, and leaving takes no time", async () => {
  await screen.press("C-c");
  await screen.press("C-c");
  const end = Date.now() + 10_000;
  while ((await screen.alive()) && Date.now() < end) await new Promise((done) => setTimeout(done, 50));
  assert.equal(await screen.alive(), false);
  assert.deepEqual(box.outside, []);
});
