// What the tools share: where things are, running a program, and ending with one clear line.
// No dependencies: this runs before anything has been installed.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const at = (...parts) => join(root, ...parts);
export const read = (path) => readFileSync(at(path), "utf8");

// Programs of the project come first; cargo's own folder last, for a shell that has not been restarted since rustup.
process.env.PATH = [
  at(".tools", "bin"),
  at("node_modules", ".bin"),
  process.env.PATH,
  join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "bin"),
].join(delimiter);

/** A failure whose message is all that the person needs; anything else is a bug and keeps its stack trace. */
export class Stop extends Error {}

/** Runs `main` when the file is the program, not an import; a `Stop` becomes one line and exit code 1. */
export async function runAsProgram(meta, main) {
  if (process.argv[1] === undefined || resolve(process.argv[1]) !== fileURLToPath(meta.url)) return;
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  }
}

/** The path of a program, or undefined. */
export function which(program) {
  for (const dir of process.env.PATH.split(delimiter)) {
    const path = join(dir, program);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** What a program prints, or undefined when it is missing or fails. */
export function output(program, ...args) {
  const done = spawnSync(program, args, { encoding: "utf8", cwd: root, stdio: ["ignore", "pipe", "ignore"] });
  return done.status === 0 ? done.stdout.trim() : undefined;
}

/** Runs a program, its output shown unless told otherwise; resolves to what it printed, and stops the run when it fails. */
export function run(program, args, { env = {}, check = true, show = true, name } = {}) {
  const label = name ?? [program, ...args].join(" ");
  return new Promise((done, fail) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
        if (show) to.write(chunk);
      });
    }
    child.on("error", (error) => fail(new Stop(`${label}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (check && code !== 0) {
        const stop = new Stop(`\`${label}\` ended with ${signal ?? `exit code ${code}`}`);
        fail(Object.assign(stop, { text }));
      } else done({ text, code });
    });
  });
}

/** Seconds since `start` (from `performance.now()`), for people. */
export const seconds = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

/** Every file below a folder (or the file itself), sorted, as paths from the project's root; missing ones are left out. */
export function filesBelow(path) {
  const stat = statSync(at(path), { throwIfNoEntry: false });
  if (!stat) return [];
  if (stat.isFile()) return [path];
  return readdirSync(at(path))
    .sort()
    .flatMap((name) => filesBelow(`${path}/${name}`));
}
