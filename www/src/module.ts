// The wasm module: the engine, the simulated world and the recorder. Everything that the page shows comes from here.
import init, { Recording, Theatre } from "theatre-module";
import type { Difference, Overview, Picture, Settings, Story } from "./generated/theatre.js";

/** A run, or a recording, that can be looked at from any moment. */
export interface Run {
  overview: Overview;
  /** The state after `moment` moments. */
  jump(moment: number): Picture;
  /** The same as the text that the module gave. */
  text(moment: number): string;
  free(): void;
}

export async function load(): Promise<Story[]> {
  await init({ module_or_path: new URL("./theatre.wasm", import.meta.url) });
  return JSON.parse(Theatre.stories()) as Story[];
}

/** Plays a story to its end and stands at its start. */
export function play(settings: Settings): Run {
  return asRun(new Theatre(JSON.stringify(settings)));
}

const PIECE_BYTES = 1 << 20;
/** As in src/sim/theatre/recording.rs, which refuses more: a huge file is refused before it is read. */
const MAX_BYTES = 160_000_000;

export interface Recorded extends Run {
  differences: Difference[];
}

/**
 * Reads a journal, a piece at a time, so that the page goes on meanwhile; `tell` hears how far it is, from 0 to 1.
 * Throws with the reason in words.
 */
export async function record(file: File, tell: (share: number) => void): Promise<Recorded> {
  const megabytes = Math.round(file.size / 1e6);
  if (file.size > MAX_BYTES) {
    throw new Error(`it has ${megabytes} MB, and this page takes at most ${MAX_BYTES / 1e6} MB`);
  }
  const recording = new Recording();
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for (let from = 0; from < file.size; from += PIECE_BYTES) {
      const bytes = await file.slice(from, from + PIECE_BYTES).arrayBuffer();
      recording.read(decode(decoder, bytes));
      tell(Math.min(1, (from + PIECE_BYTES) / file.size));
    }
    recording.finish();
    const differences = JSON.parse(recording.differences()) as Difference[];
    return { ...asRun(recording), differences };
  } catch (error) {
    recording.free();
    throw error;
  }
}

function decode(decoder: TextDecoder, bytes: ArrayBuffer): string {
  try {
    return decoder.decode(bytes, { stream: true });
  } catch {
    throw new Error("it is no text");
  }
}

interface Jumpable {
  overview(): string;
  jump(moment: number): string;
  free(): void;
}

function asRun(module: Jumpable): Run {
  const overview = JSON.parse(module.overview()) as Overview;
  return {
    overview,
    jump: (moment) => JSON.parse(module.jump(moment)) as Picture,
    text: (moment) => module.jump(moment),
    free: () => module.free(),
  };
}
