// The grammars' own test corpora against our wasm, for those who have them: they are not in the crates, so no test runs this.
// Usage: node tests/code/syntax/corpus.mjs <language> <repository of its grammar, a git directory> [<commit>]
import { spawnSync } from "node:child_process";
import { library } from "./lib.mjs";

const [language, repository, commit = "HEAD"] = process.argv.slice(2);
const git = (...args) =>
  spawnSync("git", ["-C", repository, ...args], { encoding: "utf8", maxBuffer: 1 << 28 }).stdout;
const it = (await library())(language);

/** The cases of a corpus file: a title between rules of `=`, the source, a rule of `-`, the tree. */
function* cases(text) {
  const head = /^={3,}([^=\s]*)\s*\n((?:.*\n)*?)={3,}\1[ \t]*\n/gm;
  const heads = [...text.matchAll(head)];
  for (const [n, match] of heads.entries()) {
    const body = text.slice(match.index + match[0].length, heads[n + 1]?.index ?? text.length);
    const [title, ...attributes] = match[2].trim().split("\n");
    const rules = [...body.matchAll(new RegExp(`^-{3,}${match[1].replace(/[^\w]/g, "\\$&")}[ \\t]*$`, "gm"))];
    const rule = rules.at(-1);
    if (!rule) continue;
    const source = body.slice(0, rule.index).replace(/^\n/, "").replace(/\n$/, "");
    yield { title, attributes, source, tree: body.slice(rule.index + rule[0].length).trim() };
  }
}

/** A tree without the names of fields, which corpora may leave out, and without layout or comments. */
const bare = (tree, fields) =>
  (fields ? tree : tree.replace(/\b\w+: /g, ""))
    .replace(/^\s*;.*$/gm, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([()]) ?/g, "$1");

const counts = { same: 0, other: 0, skipped: 0 };
for (const path of git("ls-tree", "-r", "--name-only", commit).split("\n")) {
  if (!/corpus\/.*\.txt$/.test(path)) continue;
  for (const { title, attributes, source, tree } of cases(git("show", `${commit}:${path}`))) {
    const other = attributes.find((line) => line.startsWith(":language("));
    if (attributes.some((line) => line === ":skip") || (other && !other.includes(`(${language})`))) {
      counts.skipped += 1;
      continue;
    }
    const ours = it.tree(language, source);
    const wantsError = attributes.includes(":error");
    const fields = /\b\w+: /.test(tree);
    const same = wantsError ? /\(ERROR|\(MISSING/.test(ours) : bare(ours, fields) === bare(tree, fields);
    counts[same ? "same" : "other"] += 1;
    if (!same)
      console.log(
        `${path}: ${title}\n  wanted ${bare(tree, fields).slice(0, 300)}\n  got    ${bare(ours, fields).slice(0, 300)}`,
      );
  }
}
console.log(
  `${language}: ${counts.same} trees as expected, ${counts.other} other, ${counts.skipped} skipped`,
);
