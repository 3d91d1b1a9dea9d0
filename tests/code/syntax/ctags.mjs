// Our definitions against universal-ctags', on the same real files: what each finds that the other does not. For people:
// the two answer somewhat different questions, so no test runs this.
// Usage: node tests/code/syntax/ctags.mjs
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { library, scratch, sources } from "./lib.mjs";

const it = await library();
for (const [language, extension] of [
  ["rust", ".rs"],
  ["python", ".py"],
  ["typescript", ".ts"],
  ["javascript", ".js"],
]) {
  const texts = sources(extension, 200, { most: 100_000 });
  const dir = scratch(`ctags-${language}`);
  const counts = { both: 0, ours: 0, theirs: 0 };
  const [oursByKind, theirsByKind] = [new Map(), new Map()];
  const add = (map, kind) => map.set(kind, (map.get(kind) ?? 0) + 1);
  texts.forEach(({ text }, n) => {
    const file = join(dir, `${n}${extension}`);
    writeFileSync(file, text);
    const { stdout } = spawnSync("ctags", ["--output-format=json", "--fields=+n", "-o", "-", file], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const lines = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const theirs = new Map(lines.map(({ name, line, kind }) => [`${name} ${line}`, kind]));
    const { definitions } = JSON.parse(it(language).symbols(language, text));
    const ours = new Map(definitions.map(({ name, row, kind }) => [`${name} ${row + 1}`, kind]));
    for (const [key, kind] of ours) {
      if (theirs.has(key)) counts.both += 1;
      else ((counts.ours += 1), add(oursByKind, kind));
    }
    for (const [key, kind] of theirs) if (!ours.has(key)) ((counts.theirs += 1), add(theirsByKind, kind));
  });
  const shown = (map) =>
    [...map]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 6)
      .map(([kind, n]) => `${kind} ${n}`)
      .join(", ");
  console.log(
    `${language}, ${texts.length} files: ${counts.both} by both; ${counts.ours} by us alone (${shown(oursByKind)}); ${counts.theirs} by ctags alone (${shown(theirsByKind)})`,
  );
}
