// An instance's work where it has no thread to block: in slices, between which others get their turn.
import type { Answer } from "./instance";

/** Nobody waits for the answer any more. */
export class Aborted extends Error {
  constructor() {
    super("Aborted.");
  }
}

/** A slice lasts so long. Milliseconds. */
const SLICE_MS = 8;

/** The answer; none when nobody waits for it any more. `pause` lets others get their turn. */
export async function inSlices(
  steps: Generator<undefined, Answer>,
  isGone: () => boolean,
  pause: () => Promise<void>,
): Promise<Answer | undefined> {
  let began = performance.now();
  for (;;) {
    if (isGone()) {
      steps.return({ ok: false, text: "" });
      return undefined;
    }
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - began < SLICE_MS) continue;
    await pause();
    began = performance.now();
  }
}
