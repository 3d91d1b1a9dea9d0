// The address bar: a link holds the settings and the moment, so that a link is a bug report.
import type { Settings } from "./generated/theatre.js";

export const NUMBERS = [
  "seed",
  "agents",
  "todos",
  "step",
  "limit",
  "capacity",
  "latency",
  "failures",
  "faults",
] as const;
export type NumberName = (typeof NUMBERS)[number];

export interface Place {
  settings: Settings;
  /** The moment; the start when absent. */
  at?: number;
}

/** What the address says. What is no number is left out. */
export function readLink(hash: string): Place {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  const settings: Settings = { story: params.get("story") ?? "" };
  for (const name of NUMBERS) {
    const value = whole(params.get(name));
    if (value !== undefined) settings[name] = value;
  }
  const at = whole(params.get("at"));
  return at === undefined ? { settings } : { settings, at };
}

/** The same as an address. */
export function writeLink({ settings, at }: Place): string {
  const params = new URLSearchParams();
  params.set("story", settings.story);
  for (const name of NUMBERS) {
    const value = settings[name];
    if (value !== undefined && value !== null) params.set(name, String(value));
  }
  if (at) params.set("at", String(at));
  return `#${params}`;
}

function whole(text: string | null): number | undefined {
  if (text === null || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffff_ffff ? value : undefined;
}
