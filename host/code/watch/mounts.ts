// Whether a file system was mounted since: one over a watched folder hides it, and no watch tells of that.
import { readFileSync } from "node:fs";

/** Where Linux lists the mounts that this process sees. */
export const MOUNTS = "/proc/self/mountinfo";

/** What a watcher asks before it believes its watches. */
export interface Mounts {
  /** Whether they are those of when this began; false where nobody knows. */
  areSame(): boolean;
}

/** By the list itself: the kernel writes it anew for each reading, some 50 µs. */
export class ReadMounts implements Mounts {
  private readonly before = listed();

  areSame(): boolean {
    return this.before !== "" && this.before === listed();
  }
}

function listed(): string {
  try {
    return readFileSync(MOUNTS, "latin1");
  } catch {
    return "";
  }
}
