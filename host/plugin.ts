// The plugin: a project for each folder that OpenCode works in.
import type { Hooks, PluginInput } from "./opencode";
import { Project } from "./project";
import { compileEngine } from "./runtime";

/** The live projects of this process by folder, shared by every copy of the plugin that is loaded. */
const REGISTRY = Symbol.for("opencode-orchestrator-wasm.projects");

function projects(): Map<string, Project> {
  const shared = globalThis as { [REGISTRY]?: Map<string, Project> };
  return (shared[REGISTRY] ??= new Map());
}

/** The hooks for one instance of OpenCode. `engine` is being compiled since the plugin was imported, or not at all yet. */
export async function server(
  input: PluginInput,
  options: unknown,
  engine: Promise<WebAssembly.Module | undefined> | undefined,
): Promise<Hooks> {
  if (engine) void compileEngine(engine);
  const live = projects();
  const known = live.get(input.directory);
  if (known?.isFor(input.client)) {
    known.override(options);
    return {}; // configured twice: once is enough
  }
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
  return project.hooks(input.client);
}
