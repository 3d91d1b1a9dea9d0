// What the edits of a mission's agents break: each file is parsed as it was before the first edit and as it is now. Told
// to the core with the call; the tool's own output stays what it is.
import { readFileSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { isObject } from "../fault";
import type { RawToolCall } from "../generated/contract";
import { pathsOf, toolKind } from "../tools";
import type { SyntaxTools } from "./syntax";

/** A larger file is not parsed here: generated, mostly, and the turn waits. Bytes. */
const MAX_FILE_BYTES = 1_000_000;
/** The turn waits at most so long; the first answer loads the module. Milliseconds. */
const HOLD_MS = 2_000;
/** Files whose state before the first edit is remembered; the oldest is forgotten. */
const MAX_BASELINES = 500;
/** Calls that have begun and not ended. */
const MAX_OPEN_CALLS = 100;

/** From src/code/syntax/check.rs. */
interface NewErrors {
  errors: string[];
  baseline: unknown;
}

export class Edits {
  /** The texts before a call, by call and path. */
  private readonly before = new Map<string, Map<string, string>>();
  /** The errors from before the first edit, by session and path. */
  private readonly baselines = new Map<string, unknown>();

  constructor(
    private readonly directory: string,
    private readonly syntax: Pick<SyntaxTools, "request">,
  ) {}

  /** A call is about to run: the files that it edits are remembered as they are. */
  begin(session: string, tool: string, call: string, args: unknown): void {
    if (toolKind(tool) !== "edit" || !isObject(args)) return;
    const texts = new Map<string, string>();
    for (const path of [...pathsOf(args, {}), ...patchedFiles(args)]) {
      const file = resolve(this.directory, path);
      if (!this.baselines.has(`${session}\0${file}`)) texts.set(file, textOf(file) ?? "");
    }
    if (texts.size > 0) keep(this.before, call, texts, MAX_OPEN_CALLS);
  }

  /** A call has run: fills in what it broke, as far as that is known in time. */
  async end(session: string, call: RawToolCall): Promise<void> {
    const before = this.before.get(call.call);
    this.before.delete(call.call);
    if (call.writes.length === 0) return;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), HOLD_MS);
    try {
      for (const written of call.writes) {
        const file = resolve(this.directory, written.path);
        const found = await this.check(`${session}\0${file}`, file, before?.get(file), controller.signal);
        written.errors = found ?? null;
      }
    } catch {
      // too late, or the module failed: the mission goes on without
    } finally {
      clearTimeout(timer);
    }
  }

  private async check(
    key: string,
    file: string,
    before: string | undefined,
    signal: AbortSignal,
  ): Promise<string[] | undefined> {
    const path = relative(this.directory, file);
    const after = textOf(file);
    const baseline = this.baselines.get(key);
    if (after === undefined || (before === undefined && baseline === undefined)) return undefined;
    const since = baseline === undefined ? { before } : { baseline };
    const { data } = await this.syntax.request("new_errors", { path, after, ...since }, signal);
    if (!isObject(data)) return undefined;
    const found = data as unknown as NewErrors;
    keep(this.baselines, key, found.baseline, MAX_BASELINES);
    return found.errors;
  }
}

/** The files of a patch in the form of `apply_patch`. */
function patchedFiles(args: Record<string, unknown>): string[] {
  const patch = args["patchText"] ?? args["patch"];
  if (typeof patch !== "string") return [];
  return [...patch.matchAll(/^\*\*\* (?:Update|Add) File: (.+)$/gm)].flatMap(
    ([, path]) => path?.trim() ?? [],
  );
}

function textOf(file: string): string | undefined {
  try {
    return statSync(file).size > MAX_FILE_BYTES ? undefined : readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Sets an entry of a map that forgets its oldest above `most`. */
function keep<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}
