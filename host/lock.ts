// Who drives a journal: a lock file beside it with the process that does. A process id alone is given again, after a
// reboot or in another container soon, so the lock also says when its process started and in which boot.
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";

/** A lock that others take and give back meanwhile is looked at so often. */
const LOOKS = 5;

const lockOf = (path: string) => `${path}.lock`;

/** Makes the journal ours; else gives the process that has it. Of several that try at once one succeeds. */
export function claim(path: string): number | undefined {
  const lock = lockOf(path);
  for (let look = 0; look < LOOKS; look++) {
    if (create(lock)) return undefined;
    const holder = read(lock);
    if (holder === undefined) continue; // given back meanwhile
    if (holder === ownText()) return undefined;
    if (isAlive(holder)) return pidOf(holder);
    removeDead(lock);
  }
  return pidOf(read(lock) ?? "");
}

export function release(path: string): void {
  rmSync(lockOf(path), { force: true });
}

/** Whether somebody, perhaps of the past, has claimed it. */
export function isClaimed(path: string): boolean {
  return read(lockOf(path)) !== undefined;
}

/** Removes a lock whose process is gone. Only one at a time does, so that no fresh lock is taken for the dead one. */
function removeDead(lock: string): void {
  const door = `${lock}.taking`;
  if (!create(door)) {
    const holder = read(door);
    if (holder !== undefined && !isAlive(holder)) rmSync(door, { force: true });
    return;
  }
  try {
    const holder = read(lock);
    if (holder !== undefined && !isAlive(holder)) rmSync(lock, { force: true });
  } finally {
    rmSync(door, { force: true });
  }
}

/** Whether the file was made, which shows up with its text in it. */
function create(file: string): boolean {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, ownText());
    try {
      linkSync(draft, file);
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      writeFileSync(file, ownText(), { flag: "wx" }); // a file system without links
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** "<pid> <start> <boot>"; the pid alone where the system doesn't say more, and in locks from before. */
function ownText(): string {
  return [process.pid, startOf(process.pid), boot()].filter((part) => part !== undefined).join(" ");
}

function isAlive(text: string): boolean {
  const [, start, itsBoot] = text.split(" ");
  const pid = pidOf(text);
  if (!Number.isInteger(pid) || pid <= 0 || !exists(pid)) return false;
  if (start === undefined || startOf(process.pid) === undefined) return true;
  return itsBoot === boot() && startOf(pid) === start;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** When a process started, in ticks since the boot: the 22nd field, counted behind the name, which may hold anything. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

const boot = () => read("/proc/sys/kernel/random/boot_id");
const pidOf = (text: string) => Number(text.split(" ")[0]);

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
