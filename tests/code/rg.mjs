// ripgrep as the oracle: the matching (file, line) pairs of both, and what differs.
import { spawnSync } from "node:child_process";

/** A query as code_search takes it, as ripgrep's arguments. */
function flagsOf({ literal, ignore_case, word, multiline, globs = [] }) {
  return [
    ...(literal ? ["-F"] : []),
    ...(ignore_case ? ["-i"] : []),
    ...(word ? ["-w"] : []),
    ...(multiline ? ["-U"] : []),
    ...globs.flatMap((glob) => ["-g", glob]),
  ];
}

const COMMON = ["--no-config", "--no-messages", "--color=never"];

function rg(root, args) {
  const done = spawnSync("rg", [...COMMON, ...args], {
    cwd: root,
    encoding: "latin1",
    maxBuffer: 1 << 30,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.error) throw done.error;
  return done.stdout;
}

const relative = (path) => path.replace(/^\.\//, "");

/** `path:line` of every match, sorted; names in Latin-1, a character for each byte. */
export function rgLines(root, query) {
  const args = ["-nH", "--null", "--no-heading", "--max-columns=1", ...flagsOf(query), "-e", query.pattern];
  const text = rg(root, [...args, "--", query.path ?? "."]);
  return [...text.matchAll(/^([^\0]*)\0(\d+):/gms)]
    .map(([, path, line]) => `${relative(path)}:${line}`)
    .sort();
}

/** The files that match a glob, or all. */
export function rgFiles(root, globs = [], path = ".") {
  const text = rg(root, ["--files", "--null", ...globs.flatMap((glob) => ["--iglob", glob]), "--", path]);
  return text.split("\0").slice(0, -1).map(relative).sort();
}

/** The same from the text of code_search. */
export function ourLines(text) {
  const pairs = [];
  for (const block of text.split("\n\n").slice(0, -1)) {
    const [name, ...lines] = block.split("\n");
    for (const line of lines) {
      const number = /^(\d+): /.exec(line)?.[1];
      if (number) pairs.push(`${bytesOf(name)}:${number}`);
    }
  }
  return pairs.sort();
}

/** The same from the text of find_files. */
export const ourFiles = (text) => text.split("\n").slice(0, -1).map(bytesOf).sort();

/** A path as it is shown back as its bytes in Latin-1. */
function bytesOf(shown) {
  const latin1 = (text) => Buffer.from(text).toString("latin1");
  if (!shown.startsWith('"')) return latin1(shown);
  const escapes = { n: "\n", t: "\t" };
  return shown
    .slice(1, -1)
    .split(/(\\x[0-9a-f]{2}|\\.)/)
    .map((part) => {
      if (/^\\x../.test(part)) return String.fromCharCode(Number.parseInt(part.slice(2), 16));
      if (part.startsWith("\\")) return escapes[part[1]] ?? part[1];
      return latin1(part);
    })
    .join("");
}

/** What only one of the two has; empty when they agree. */
export function differences(ours, theirs) {
  const [a, b] = [new Set(ours), new Set(theirs)];
  return [
    ...ours.filter((pair) => !b.has(pair)).map((pair) => `only ours: ${pair}`),
    ...theirs.filter((pair) => !a.has(pair)).map((pair) => `only rg's: ${pair}`),
  ];
}
