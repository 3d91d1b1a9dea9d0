// The plugin as OpenCode loads it. OpenCode calls every export as a plugin: there is only the default one.
import type { Hooks, PluginInput } from "./opencode";
import { Project } from "./project";

/** The live projects of this process by folder, shared by every copy of the plugin that is loaded. */
const REGISTRY = Symbol.for("opencode-orchestrator-wasm.projects");

function projects(): Map<string, Project> {
  const shared = globalThis as { [REGISTRY]?: Map<string, Project> };
  return (shared[REGISTRY] ??= new Map());
}

async function server(input: PluginInput, options?: unknown): Promise<Hooks> {
  try {
    const live = projects();
    const known = live.get(input.directory);
    if (known?.isFor(input.client)) return {}; // configured twice: once is enough
    if (known?.outlivesInstance) {
      known.attach(input.client);
      return known.hooks(input.client);
    }
    if (known) await known.hooks(known["client"]).dispose?.();
    const project = new Project(input, options);
    live.set(input.directory, project);
    project.onDisposed = () => {
      if (live.get(input.directory) === project) live.delete(input.directory);
    };
    await project.resume();
    return project.hooks(input.client);
  } catch (error) {
    process.stderr.write(
      `opencode-orchestrator could not start: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return {};
  }
}

export default { id: "opencode-orchestrator-wasm", server };
