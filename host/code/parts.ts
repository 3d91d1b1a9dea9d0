// The modules that parse: that of the common languages is asked first, and where it names another, that.
import type { Answer, Artefact } from "./instance";

/** What the modules answer; see src/code/syntax/module.rs. */
export interface SyntaxAnswer {
  text: string;
  elsewhere?: { module: Artefact };
  data?: unknown;
}

/** Asks one artefact. */
export type Ask = (
  artefact: Artefact,
  method: string,
  args: unknown,
  signal?: AbortSignal,
) => Promise<Answer>;

/** Throws what is wrong, in words. */
export async function askParts(
  ask: Ask,
  method: string,
  args: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<SyntaxAnswer> {
  let artefact: Artefact = "syntax";
  for (let asked = args; ;) {
    const { ok, text } = await ask(artefact, method, asked, signal);
    if (!ok) throw new Error(text);
    const answer = JSON.parse(text) as SyntaxAnswer;
    if (!answer.elsewhere) return answer;
    artefact = answer.elsewhere.module;
    asked = { ...args, partial: answer.elsewhere };
  }
}
