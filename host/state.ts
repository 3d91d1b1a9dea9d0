// Where missions are kept.
import { homedir } from "node:os";
import { join } from "node:path";

/** The plugin's folder in OpenCode's state folder. It is made by the first mission. */
export function stateFolder(
  state = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"),
): string {
  return join(state, "opencode", "orchestrator");
}
