// Writes the options of host/generated/options.schema.json into README.md, between its two markers.
// Usage: node tools/readme.mjs [--check]     with --check nothing is written: it fails when they differ
import { writeFileSync } from "node:fs";
import { at, read, runAsProgram, Stop } from "./lib.mjs";

const [BEGIN, END] = ["<!-- options: begin (tools/readme.mjs) -->", "<!-- options: end -->"];

await runAsProgram(import.meta, ([flag]) => {
  const readme = read("README.md");
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Stop("README.md has lost the markers of its options");
  const next = `${readme.slice(0, from)}${BEGIN}\n\n${options()}\n\n${readme.slice(to)}`;
  if (next === readme) return;
  if (flag === "--check") throw new Stop("README.md's options are out of date: run `node tools/readme.mjs`");
  writeFileSync(at("README.md"), next);
});

function options() {
  const all = Object.entries(JSON.parse(read("host/generated/options.schema.json")).properties).flatMap(
    ([group, { properties }]) =>
      Object.entries(properties).map(([name, schema]) => ({ name: `${group}.${name}`, schema })),
  );
  const rows = all.map(({ name, schema: { default: value, description } }) => [
    `\`${name}\``,
    value === undefined ? "none" : `\`${JSON.stringify(value)}\``,
    description,
  ]);
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i].length), 7));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  const table = [
    line(["Option", "Default", "Meaning"]),
    line(widths.map((n) => "-".repeat(n))),
    ...rows.map(line),
  ];
  return table.join("\n");
}
