// Where the OpenCode program is: OPENCODE_BIN, else the one that npm installed with the project.
// As a program it prints the path: "$(node tools/opencode-bin.mjs)" --version
import { existsSync, readFileSync, statSync } from "node:fs";
import { at, runAsProgram, Stop } from "./lib.mjs";

/** The path of the OpenCode program. */
export function opencodeBin() {
  if (process.env.OPENCODE_BIN) {
    if (existsSync(process.env.OPENCODE_BIN)) return process.env.OPENCODE_BIN;
    throw new Stop(`OPENCODE_BIN names no file: ${process.env.OPENCODE_BIN}`);
  }
  const found = candidates().find(isProgram);
  if (!found) throw new Stop("OpenCode is not installed: run `node tools/setup.mjs` first");
  return found;
}

// The package's own bin/opencode.exe (its name on every system) is a stub until its install script has run, and we
// install without scripts; the real program is in the package of the platform.
function candidates() {
  const system = { win32: "windows" }[process.platform] ?? process.platform;
  const file = system === "windows" ? "opencode.exe" : "opencode";
  const plain = `opencode-${system}-${process.arch}`;
  const names = [plain, `${plain}-baseline`];
  if (process.arch === "x64" && system === "linux" && !hasAvx2()) names.reverse();
  if (system === "linux" && !process.report.getReport().header.glibcVersionRuntime) {
    names.unshift(...names.map((name) => `${name}-musl`));
  }
  const inPackage = names.map((name) => at("node_modules", name, "bin", file));
  return [at("node_modules", "opencode-ai", "bin", "opencode.exe"), ...inPackage];
}

const isProgram = (path) => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 1_000_000;

function hasAvx2() {
  try {
    return /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}

await runAsProgram(import.meta, () => console.log(opencodeBin()));
