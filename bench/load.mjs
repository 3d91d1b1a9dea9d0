// In a fresh process: how long a plugin takes to be imported and, with --start, started, and then how long its first
// `/task` takes (our wasm is compiled then), in ms of the clock and of the processor.
// Usage: load.mjs <index.js> <folder> [--start]
import "node:child_process";
import "node:crypto";
import { mkdtempSync } from "node:fs";
import "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [path, folder, start] = process.argv.slice(2);
const anything = new Proxy(() => Promise.resolve({ data: [] }), {
  get: (_, name) => (name === "then" ? undefined : anything),
});

// OpenCode has long loaded Node's modules above, and other files
await import("./plugins/bare.mjs");
const cpu = process.cpuUsage();
const began = performance.now();
const plugin = await import(pathToFileURL(path).href);
const imported = performance.now();
process.env.XDG_STATE_HOME = mkdtempSync(join(folder, "state-")); // for the journal
let hooks;
if (start) {
  const input = { client: anything, directory: folder, worktree: folder, project: {}, $: anything };
  hooks = await plugin.default.server(input, {});
  await hooks.config({});
}
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
const result = { ms, importMs: imported - began, cpuMs: (user + system) / 1000 };
if (start) {
  const [before, used] = [performance.now(), process.cpuUsage()];
  const parts = [{ type: "text", text: "" }];
  await hooks["command.execute.before"](
    { command: "task", sessionID: "ses_bench", arguments: "measure" },
    { parts },
  );
  if (!/<objective>measure/.test(JSON.stringify(parts)))
    throw new Error("the plugin did not start a mission");
  const spent = process.cpuUsage(used);
  result.firstUseMs = performance.now() - before;
  result.firstUseCpuMs = (spent.user + spent.system) / 1000;
}
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
