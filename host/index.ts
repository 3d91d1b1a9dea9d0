// What OpenCode imports. OpenCode calls every export as a plugin: there is only the default one. It is small, so that the
// engine can be compiled beside the import of all else.
import { existsSync } from "node:fs";
import { compile } from "./engine";
import type { Hooks, PluginInput } from "./opencode";
import { stateFolder } from "./state";

/** A copy of the plugin compiles already: another one is not used, and compiles nothing. */
const BEGUN = Symbol.for("opencode-orchestrator-wasm.begun");

// whoever had missions will have another: its first command is not to wait for a compiler
const engine = isFirst() && hadMissions() ? compile() : undefined;

function isFirst(): boolean {
  const shared = globalThis as { [BEGUN]?: boolean };
  const isFirst = !shared[BEGUN];
  shared[BEGUN] = true;
  return isFirst;
}

function hadMissions(): boolean {
  try {
    return existsSync(stateFolder());
  } catch {
    return false; // a person without a home: the first command says so
  }
}

async function server(input: PluginInput, options?: unknown): Promise<Hooks> {
  try {
    const plugin = await import("./plugin.js");
    return await plugin.server(input, options, engine);
  } catch (error) {
    process.stderr.write(
      `opencode-orchestrator could not start: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return {};
  }
}

export default { id: "opencode-orchestrator-wasm", server };
