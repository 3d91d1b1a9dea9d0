// The code tools as OpenCode sees them. Their arguments go to the module as they are; it checks them.
import type { ToolContext, ToolDefinition } from "../opencode";
import { Pool, type PoolSettings } from "./pool";

const text = (description?: string) => ({ type: "string", ...(description && { description }) });
const flag = { type: "boolean" };
const count = { type: "integer" };

/**
 * Descriptions and arguments: they cost tokens in every request. OpenCode marks each argument as required, so those that
 * aren't are in an object; the module takes them beside the others, too.
 */
const TOOLS: Record<string, { description: string; args: Record<string, unknown> }> = {
  code_search: {
    description:
      "Search file contents by regular expression, fast: ripgrep's syntax and ignore rules. Lines by file.",
    args: {
      pattern: text(),
      options: {
        type: "object",
        properties: {
          path: text("File or folder"),
          globs: { type: "array", items: text(), description: 'Such as "*.ts", "!test/**"' },
          literal: flag,
          ignore_case: flag,
          word: flag,
          multiline: flag,
          context: count,
          limit: count,
          mode: { type: "string", enum: ["lines", "files", "count"] },
        },
      },
    },
  },
  find_files: {
    description: "Find files by glob, or fuzzily by letters of their path.",
    args: {
      options: {
        type: "object",
        properties: {
          glob: text('Such as "src/**/*.{ts,tsx}"'),
          fuzzy: text(),
          path: text("Folder"),
          sort: { type: "string", enum: ["path", "modified"] },
          limit: count,
        },
      },
    },
  },
};

export class CodeTools {
  private made: Pool | undefined;

  constructor(private readonly settings: Omit<PoolSettings, "artefact">) {}

  /** Made at its first use: the options may change until then. */
  private get pool(): Pool {
    return (this.made ??= new Pool({ ...this.settings, artefact: "search" }));
  }

  tools(): Record<string, ToolDefinition> {
    return Object.fromEntries(
      Object.entries(TOOLS).map(([name, tool]) => [
        name,
        { ...tool, execute: (args: unknown, context: ToolContext) => this.call(name, args, context) },
      ]),
    );
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private async call(name: string, args: unknown, { abort }: ToolContext): Promise<string> {
    const { ok, text } = await this.pool.request(name, args, abort);
    if (!ok) throw new Error(text);
    return text;
  }
}
