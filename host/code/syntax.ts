// The parsing tools as OpenCode sees them. The modules decide; here they are asked one after the other, and what they
// plan to write is written: with OpenCode's permission, only over what it was planned from, each file whole or not at all.
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { chmodSync, writeSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { isObject, messageOf } from "../fault";
import type { ToolContext, ToolDefinition } from "../opencode";
import { askParts, type SyntaxAnswer } from "./parts";
import { Pools, type PoolSettings } from "./pool";

const text = (description?: string) => ({ type: "string", ...(description && { description }) });
const path = text("File or folder");
const globs = { type: "array", items: text(), description: 'Such as "*.ts", "!test/**"' };
const pattern = text("ast-grep pattern such as foo($A, $$$REST), or a YAML rule beginning with rule:");
const options = (properties: Record<string, unknown>) => ({
  type: "object",
  properties: { path, globs, ...properties },
});

/** Descriptions and arguments: they cost tokens in every request. */
const TOOLS: Record<string, { description: string; args: Record<string, unknown> }> = {
  ast_search: {
    description: "Search code by its syntax tree; exact where text search is not.",
    args: { pattern, language: text(), options: options({ limit: { type: "integer" } }) },
  },
  ast_rewrite: {
    description: "Replace every match of a pattern. Shows a diff; with apply it writes.",
    args: {
      pattern,
      rewrite: text("With the pattern's variables"),
      language: text(),
      options: options({ apply: { type: "boolean" } }),
    },
  },
  code_outline: {
    description:
      "A file's symbols with lines and signatures; a folder's most used symbols; or, with symbol, where that name is defined and used.",
    args: { options: options({ depth: { type: "integer" }, symbol: text() }) },
  },
  code_diagnostics: {
    description: "Syntax errors, merge conflicts, broken JSON, YAML and TOML, without building.",
    args: { options: options({}) },
  },
};

/** Previews that are remembered for the call that applies them. */
const MAX_PREVIEWS = 32;

/** What is to be written, from src/code/syntax/rewrite.rs. */
interface Plan {
  files: { path: string; before: string; after: string }[];
  diff: string;
}

export class SyntaxTools {
  private readonly pools: Pools;
  /** What previews were made from, by the arguments. */
  private readonly previews = new Map<string, unknown>();

  constructor(private readonly settings: Omit<PoolSettings, "artefact">) {
    this.pools = new Pools(settings);
  }

  tools(): Record<string, ToolDefinition> {
    const execute = (name: string) => async (args: unknown, context: ToolContext) => {
      const flat = flattened(args);
      if (name === "ast_rewrite") return this.rewrite(flat, context);
      return (await this.request(name, flat, context.abort)).text;
    };
    return Object.fromEntries(
      Object.entries(TOOLS).map(([name, tool]) => [name, { ...tool, execute: execute(name) }]),
    );
  }

  /** Asks the modules. Throws what is wrong, in words. */
  request(method: string, args: Record<string, unknown>, signal?: AbortSignal): Promise<SyntaxAnswer> {
    return askParts(this.pools.ask.bind(this.pools), method, args, signal);
  }

  close(): Promise<void> {
    return this.pools.close();
  }

  private async rewrite(args: Record<string, unknown>, context: ToolContext): Promise<string> {
    const { apply, ...what } = args;
    const key = JSON.stringify(Object.entries(what).sort(([a], [b]) => (a < b ? -1 : 1)));
    const preview = this.previews.get(key);
    const answer = await this.request(
      "ast_rewrite",
      { ...args, ...(preview !== undefined && { preview }) },
      context.abort,
    );
    if (apply !== true && apply !== "true") {
      this.previews.delete(key);
      this.previews.set(key, answer.data);
      for (const oldest of this.previews.keys()) {
        if (this.previews.size <= MAX_PREVIEWS) break;
        this.previews.delete(oldest);
      }
      return answer.text;
    }
    const plan = answer.data as Plan;
    if (plan.files.length === 0) return answer.text;
    const paths = plan.files.map((file) => file.path);
    if (!context.ask) throw new Error("this OpenCode can't ask for permission; nothing was written");
    await context.ask({
      permission: "edit",
      patterns: paths,
      always: ["*"],
      metadata: { filepath: paths.join(", "), diff: plan.diff },
    });
    this.previews.delete(key);
    return `${this.write(plan, context.abort)}${answer.text}`;
  }

  /** Writes what was planned, file by file. Gives what came of it. */
  private write(plan: Plan, abort: AbortSignal): string {
    const root = realpathSync(this.settings.root);
    const left: string[] = [];
    let written = 0;
    for (const { path, before, after } of plan.files) {
      try {
        if (abort.aborted) throw new Error("aborted");
        replaceFile(root, path, before, Buffer.from(after, "base64"));
        written += 1;
      } catch (error) {
        left.push(`left as it is: ${path} (${messageOf(error)})\n`);
      }
    }
    return `Written: ${written} of ${plan.files.length}.\n${left.join("")}`;
  }
}

/** The arguments beside the optional ones, which may be nested in `options`. */
function flattened(args: unknown): Record<string, unknown> {
  if (!isObject(args)) return {};
  const { options, ...own } = args;
  return { ...(isObject(options) ? options : {}), ...own };
}

/** Puts `bytes` in the place of a file that still has the contents with this SHA-256, at once: another file takes its name. */
export function replaceFile(root: string, path: string, sha256: string, bytes: Uint8Array): void {
  const file = join(root, path);
  const folder = realpathSync(dirname(file));
  if (folder !== root && !folder.startsWith(root.endsWith(sep) ? root : root + sep)) {
    throw new Error("it is outside of the project");
  }
  const { mode } = stillThere(file, sha256);
  const fresh = join(folder, `.${basename(file)}.${crypto.randomUUID()}.tmp`);
  try {
    const handle = openSync(fresh, "wx", 0o600);
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(handle, bytes, done);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    chmodSync(fresh, mode & 0o7777);
    stillThere(file, sha256);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function stillThere(file: string, sha256: string) {
  const stat = lstatSync(file);
  if (!stat.isFile()) throw new Error("it is no regular file any more");
  if (createHash("sha256").update(readFileSync(file)).digest("hex") !== sha256) {
    throw new Error("it changed since the preview");
  }
  return stat;
}
