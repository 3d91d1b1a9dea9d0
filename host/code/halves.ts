// The two modules that parse: that of the common languages is asked, and where it says so the other.
import type { Answer, Artefact } from "./instance";

/** What the modules answer. */
export interface SyntaxAnswer {
  text: string;
  elsewhere?: unknown;
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
export async function askHalves(
  ask: Ask,
  method: string,
  args: Record<string, unknown>,
  signal?: AbortSignal,
): Promise<SyntaxAnswer> {
  const half = async (artefact: Artefact, args: unknown) => {
    const { ok, text } = await ask(artefact, method, args, signal);
    if (!ok) throw new Error(text);
    return JSON.parse(text) as SyntaxAnswer;
  };
  const first = await half("syntax", args);
  if (first.elsewhere === undefined) return first;
  return half("syntax-more", { ...args, partial: first.elsewhere });
}
