// The agents and commands that the plugin adds to OpenCode. What the user defined under the same name wins, field by
// field.
import type { AgentConfig, Config } from "./opencode";
import { isObject } from "./fault";

export interface AgentText {
  name: string;
  description: string;
  prompt: string;
}

/** Permissions by role. A tool that is denied is not even offered to the model. */
const ROLES: Record<string, { mode: string; permission?: Record<string, string> }> = {
  commander: { mode: "primary" },
  planner: { mode: "subagent", permission: { edit: "deny", bash: "deny", todowrite: "deny", task: "deny" } },
  worker: { mode: "subagent", permission: { todowrite: "deny", task: "deny" } },
  reviewer: { mode: "subagent", permission: { edit: "deny", todowrite: "deny", task: "deny" } },
};

/** OpenCode lets only its own primary agents ask the person; the commander may too unless the user said something else. */
const ASKING = { mode: "primary", permission: { question: "allow" } };

function mayAsk({ permission }: Config): boolean {
  return permission === undefined || (isObject(permission) && permission["question"] === undefined);
}

const TEMPLATE = "$ARGUMENTS";

const COMMANDS: Record<string, { description: string; agent?: string }> = {
  task: { description: "Run a mission until every todo is done: /task <objective>", agent: "commander" },
  stop: { description: "Stop the mission of this session" },
  cancel: { description: "Stop the mission of this session" },
  mission: { description: "Show the mission: state, budget, and why it did what it did" },
};

/**
 * Adds agents and commands, and gives the names of the commands that are ours to handle. Unless `mayNest`, sub-agents are
 * not offered the tool to delegate.
 */
export function configure(config: Config, agents: readonly AgentText[], mayNest = false): Set<string> {
  const known = (config.agent ??= {});
  for (const { name, description, prompt } of agents) {
    const own = known[name];
    const role = name === "commander" && mayAsk(config) ? ASKING : roleOf(name, mayNest);
    known[name] = { description, prompt, ...role, ...own, ...permission(role?.permission, own) };
  }
  const commands = (config.command ??= {});
  const ours = new Set<string>();
  for (const [name, { description, agent }] of Object.entries(COMMANDS)) {
    const own = commands[name];
    const usable = agent !== undefined && known[agent]?.disable !== true;
    if (own?.template === undefined) ours.add(name); // with a template of the user's it is the user's command
    commands[name] = { description, template: TEMPLATE, ...(usable ? { agent } : {}), ...own };
  }
  return ours;
}

function roleOf(name: string, mayNest: boolean): (typeof ROLES)[string] | undefined {
  const role = ROLES[name];
  if (mayNest || !role?.permission) return role;
  return { ...role, permission: { ...role.permission, delegate_task: "deny" } };
}

/** The role's permissions with the user's on top, unless the user replaced them by a single word. */
function permission(
  role: Record<string, string> | undefined,
  own: AgentConfig | undefined,
): Pick<AgentConfig, "permission"> {
  if (!role || own?.permission === undefined) return role ? { permission: role } : {};
  return isObject(own.permission)
    ? { permission: { ...role, ...own.permission } }
    : { permission: own.permission };
}
