// In a fresh process, in ms of the clock: how long a plugin takes to be imported; with --start, until its hooks are there
// (`startMs`), until its wasm is compiled and made as well, so that it answers a first command (`readyMs`), and how long a
// first `/task` takes then (`taskMs`); and the processor's time until it was ready.
// Usage: load.mjs <index.js> <folder> [--start]     (the folder holds the plugin's journals, too)
import "node:child_process";
import "node:crypto";
import "node:fs";
import "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [path, folder, start] = process.argv.slice(2);
const anything = new Proxy(() => Promise.resolve({ data: [] }), {
  get: (_, name) => (name === "then" ? undefined : anything),
});

// OpenCode has long loaded Node's modules above, and other files
await import("./plugins/bare.mjs");
process.env.XDG_STATE_HOME = join(folder, "state");
const cpu = process.cpuUsage();
const began = performance.now();
const result = {};
const at = (name) => (result[name] = performance.now() - began);

const plugin = await import(pathToFileURL(path).href);
at("importMs");
if (start) {
  const input = { client: anything, directory: folder, worktree: folder, project: {}, $: anything };
  const hooks = await plugin.default.server(input, {});
  await hooks.config({});
  at("startMs");
  /** A command as OpenCode hands it over. */
  const command = async (name, text, expected) => {
    const parts = [{ type: "text", text: "" }];
    const call = { command: name, sessionID: `ses_${process.pid}`, arguments: text };
    await hooks["command.execute.before"](call, { parts });
    const answer = JSON.stringify(parts);
    if (!expected.test(answer)) throw new Error(`/${name} was answered with ${answer}`);
  };
  await command("mission", "", /no mission/i);
  at("readyMs");
  const { user, system } = process.cpuUsage(cpu);
  result.cpuMs = (user + system) / 1000;
  await command("task", "measure", /<objective>measure/);
  at("taskMs");
  result.taskMs -= result.readyMs;
  await command("stop", "", /stopped by you/);
}
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
