// In a fresh process: how long a plugin takes to be imported and, with --start, started (our wasm is compiled then), in
// ms of the clock and of the processor. Usage: load.mjs <index.js> <folder> [--start]
import "node:child_process";
import "node:crypto";
import "node:fs";
import "node:os";
import "node:path";
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
if (start) {
  const input = { client: anything, directory: folder, worktree: folder, project: {}, $: anything };
  const hooks = await plugin.default.server(input, {});
  if (!hooks.event) throw new Error("the plugin did not start");
}
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
const result = { ms, importMs: imported - began, cpuMs: (user + system) / 1000 };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
