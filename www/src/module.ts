// The wasm module: the engine, the simulated world and the recorder. Everything that the page shows comes from here.
import init, { Theatre } from "theatre-module";
import type { Overview, Picture, Settings, Story } from "./types.js";

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
