// What Linux says of its limits, in files below /proc.
import { readFileSync } from "node:fs";

/** The number that a file of the kernel has; 0 where it can't be read. */
export function numberIn(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, "latin1"), 10) || 0;
  } catch {
    return 0;
  }
}
