// An engine that traps in the middle of a mission, on the real `opencode serve`: a fresh instance takes over from the journal,
// once; OpenCode goes on either way.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { steps } from "../model/scripts.mjs";
import { text } from "../model/server.mjs";
import { stage } from "./lib.mjs";
import { ourPlugin } from "./opencode.mjs";

const it = await stage();
after(() => it.close());

/** A project where the engine traps so often. */
function trapping(traps) {
  const [address, options] = [ourPlugin()].flat();
  const wrapper = fileURLToPath(new URL("plugins/trapping.mjs", import.meta.url));
  return it.project(`traps-${traps}`, { plugin: [[wrapper, { ...options, package: address, traps }]] });
}
const failures = (client) =>
  client.events
    .of("tui.toast.show")
    .map((e) => e.properties.message)
    .filter((message) => /orchestrator failed/.test(message));

describe("an engine that traps", () => {
  test("once: a fresh instance goes on, no turn is lost or doubled, the person is told once", async () => {
    const client = await trapping(1);
    const mission = await it.mission(steps(3), { client });
    assert.equal(await mission.verdict(120_000), "complete: all 3 todos are done");
    assert.equal(await mission.turns(), 4);
    assert.equal(failures(client).length, 1);
  });

  test("again at once: the mission is stopped with that reason, and OpenCode goes on", async () => {
    const client = await trapping(2);
    const mission = await it.mission(steps(5), { client });
    assert.match(await mission.verdict(120_000), /^stopped: the orchestrator failed twice/);
    await mission.quiet();
    const other = await it.session(() => text("All is well."), client);
    await other.say("How are you?");
    await other.idle();
    assert.match(JSON.stringify(await other.messages()), /All is well/);
  });
});
