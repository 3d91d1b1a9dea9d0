// OpenCode's tools as the core's kinds of call, and what a finished call tells.
import { readFileSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { isObject } from "./fault";
import type { RawFile, RawToolCall, ToolKind } from "./generated/contract";

const KINDS: Record<string, ToolKind> = {
  read: "read",
  grep: "read",
  glob: "read",
  list: "read",
  webfetch: "read",
  edit: "edit",
  multiedit: "edit",
  write: "edit",
  apply_patch: "edit",
  patch: "edit",
  bash: "run",
  todowrite: "plan",
  todoread: "plan",
};

export function toolKind(tool: string): ToolKind {
  return KINDS[tool] ?? "other";
}

/** A larger file is told by its size and time only. */
const MAX_FILE_BYTES = 1_000_000;
/** Of an output only this much is compared: its end, where programs sum up. */
const MAX_OUTPUT_CHARS = 20_000;

/** A finished tool call as the core wants it. */
export function toolCall(
  directory: string,
  input: { tool: string; callID: string; args: unknown },
  output: { output?: unknown; metadata?: unknown },
): RawToolCall {
  const kind = toolKind(input.tool);
  const args = isObject(input.args) ? input.args : {};
  const metadata = isObject(output.metadata) ? output.metadata : {};
  const printed = typeof output.output === "string" ? output.output : JSON.stringify(output.output ?? "");
  const exit = metadata["exit"];
  const tail = printed.slice(-MAX_OUTPUT_CHARS);
  const paths = pathsOf(args, metadata);
  return {
    call: input.callID,
    tool: input.tool,
    kind,
    args: kind === "plan" ? "" : JSON.stringify(args),
    output: typeof exit === "number" ? `exit ${exit}\n${tail}` : tail,
    failed: false,
    reads: kind === "read" ? paths : [],
    writes: kind === "edit" ? paths.flatMap((path) => fileState(directory, path)) : [],
    diagnostics: diagnosticsOf(metadata),
  };
}

/** The files that a call names. */
export function pathsOf(args: Record<string, unknown>, metadata: Record<string, unknown>): string[] {
  const files = Array.isArray(metadata["files"]) ? metadata["files"].filter(isObject) : [];
  const found = [args["filePath"], args["path"], ...files.map((file) => file["filePath"])];
  return [...new Set(found.filter((path): path is string => typeof path === "string" && path !== ""))];
}

function fileState(directory: string, path: string): RawFile[] {
  const file = isAbsolute(path) ? path : resolve(directory, path);
  try {
    const { size, mtimeMs } = statSync(file);
    const content = size > MAX_FILE_BYTES ? `${size} ${mtimeMs}` : readFileSync(file, "utf8");
    return [{ path, content, errors: null }];
  } catch {
    return [{ path, content: "", errors: null }]; // deleted by the call
  }
}

/** Language diagnostics that OpenCode attached to an edit. */
function diagnosticsOf(metadata: Record<string, unknown>): string | null {
  const diagnostics = metadata["diagnostics"];
  if (!isObject(diagnostics) || Object.keys(diagnostics).length === 0) return null;
  return JSON.stringify(diagnostics);
}
