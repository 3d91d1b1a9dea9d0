// The same matches as ripgrep's, on a tree of oddities and on real sources.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openTree } from "../../pkg/code.js";
import { differences, ourFiles, ourLines, rgFiles, rgLines } from "./rg.mjs";
import { asRepository, freshFolder, oddTree, write } from "./trees.mjs";

const ALL = { limit: 1_000_000 };

/** Patterns and flags: literals, classes, anchors, words, case, Unicode, alternatives, empty matches, several lines. */
const QUERIES = [
  { pattern: "needle" },
  { pattern: "Needle" },
  { pattern: "needle", ignore_case: true },
  { pattern: "needle", word: true },
  { pattern: "eedl", word: true },
  { pattern: "foo bar" },
  { pattern: "foo.bar" },
  { pattern: "call( a", literal: true },
  { pattern: "fn \\w+\\(" },
  { pattern: "pub fn (\\w+)" },
  { pattern: "^fn" },
  { pattern: "\\)$" },
  { pattern: "^$" },
  { pattern: "^" },
  { pattern: "$" },
  { pattern: "\\r$" },
  { pattern: "^needle$" },
  { pattern: "^needle\\r?$" },
  { pattern: "needle|Header|TODO|foo|main" },
  { pattern: "(?i)NEEDLE|todo" },
  { pattern: "header", ignore_case: true, word: true },
  { pattern: "[A-Z][a-z]+der" },
  { pattern: "\\bfoo\\b" },
  { pattern: "\\w{20,}" },
  { pattern: "\\s{3,}" },
  { pattern: "x{50}" },
  { pattern: "ü" },
  { pattern: "Ü", ignore_case: true },
  { pattern: "σας", ignore_case: true },
  { pattern: "strasse|straße", ignore_case: true },
  { pattern: "kelvin", ignore_case: true },
  { pattern: "k", ignore_case: true, word: true },
  { pattern: "\\p{Cyrillic}+" },
  { pattern: "日本" },
  { pattern: "caf.$" },
  { pattern: "(?-u)\\xff" },
  { pattern: "(?-u:[\\x80-\\xff])+" },
  { pattern: "[^a-z\\s]" },
  { pattern: "." },
  { pattern: "zzz_no_match_zzz" },
  { pattern: "" + "a", ignore_case: true },
  { pattern: "\\d+" },
  // without a text to look for
  { pattern: "\\w{4}\\s+\\w{4}" },
  { pattern: "[a-z]+\\([^)]*\\)" },
  { pattern: "(\\w+)\\s*=\\s*(\\w+|\\d)" },
  { pattern: "\\W\\w\\W", ignore_case: true },
  { pattern: "\\w\\W*[^\\x00-\\x7F]{2}" },
  { pattern: "[a-f]{3}", word: true },
  { pattern: "^\\S+ \\S+ \\S+$" },
  { pattern: "foo\\n+bar", multiline: true },
  { pattern: "needle here\\nfoo", multiline: true },
  { pattern: "fn main\\(\\) \\{[^}]*\\}", multiline: true },
  { pattern: "(?s)fn parse.*?Header", multiline: true },
  { pattern: "foo", multiline: true },
  { pattern: "\\n\\n", multiline: true },
  { pattern: "^\\s*$", multiline: true },
  { pattern: "one needle\\r\\ntwo", multiline: true },
  { pattern: "needle", globs: ["*.rs"] },
  { pattern: "needle", globs: ["!*.txt"] },
  { pattern: "needle", globs: ["**/deep/**"] },
  { pattern: "needle", globs: ["src/**", "!src/lib.rs"] },
  { pattern: "needle", globs: ["*.log"] },
  { pattern: "needle", globs: [".hidden*"] },
  { pattern: "needle", globs: ["{a,sub}/**/*.{txt,md}"] },
  { pattern: "needle", globs: ["!/sub"] },
  { pattern: "needle", globs: ["names/[!a-u]*"] },
  { pattern: "needle", path: "sub" },
  { pattern: "needle", path: "nested/deep" },
  { pattern: "needle", path: "sub/target" },
  { pattern: "needle", path: "a.log" },
  { pattern: "needle", path: ".hidden-dir" },
  { pattern: "needle", path: "text/utf16le.txt" },
  { pattern: "let|fn|use|struct|impl", word: true },
  { pattern: "needle\\b", ignore_case: true, globs: ["*.{rs,txt}"] },
];

const GLOBS = [
  [],
  ["*.rs"],
  ["**/*.txt"],
  ["src/**"],
  ["*.{md,rs}"],
  ["!*.txt"],
  ["!sub/**"],
  ["*upper*"],
  ["**/a*/**"],
  ["*.log"],
  ["/a/*"],
  ["[a-c]*"],
  ["names/*"],
];

const name = (query) => JSON.stringify(query);

/** Removes what it can while the two still differ, so that what is left shows why. */
async function minimise(root, query, differ) {
  const removable = (folder) =>
    readdirSync(join(root, folder)).flatMap((entry) => {
      const path = join(folder, entry);
      const isFolder = statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory();
      return isFolder && entry !== "loop" && entry !== "outside" ? [path, ...removable(path)] : [path];
    });
  const tree = freshFolder("minimal");
  const names = removable("").filter((path) => !/[^\x20-\x7e]/.test(path));
  const lay = (without) => {
    rmSync(tree, { recursive: true, force: true });
    execFileSync("cp", ["-a", root, tree]);
    for (const path of without) rmSync(join(tree, path), { recursive: true, force: true });
  };
  const without = new Set();
  for (const path of names) {
    without.add(path);
    lay(without);
    if (!(await differ(tree))) {
      without.delete(path);
    }
  }
  rmSync(tree, { recursive: true, force: true });
  return names
    .filter((path) => ![...without].some((gone) => path === gone || path.startsWith(`${gone}/`)))
    .join("\n");
}

async function compare(root, query, tree) {
  const ours = ourLines(await tree.search({ ...query, ...ALL }));
  return differences(ours, rgLines(root, query));
}

/** Runs all queries on a tree. With `minimal` a difference is reduced to the files that make it. */
async function agree(root, queries, { minimal = false, options = {} } = {}) {
  const tree = openTree(root, options);
  try {
    for (const query of queries) {
      const differing = await compare(root, query, tree);
      if (differing.length === 0) continue;
      const alone = async (at) => {
        const fresh = openTree(at, options);
        const found = await compare(at, query, fresh).catch(() => []);
        await fresh.close();
        return found.length > 0;
      };
      const files = minimal ? await minimise(root, query, alone) : "(not minimised)";
      assert.fail(
        `${name(query)} in ${root}:\n${differing.slice(0, 20).join("\n")}\nwith only these files:\n${files}`,
      );
    }
    return tree.memoryBytes;
  } finally {
    await tree.close();
  }
}

/** Before the person's folder is another one, below. */
const cargo = process.env.CARGO_HOME ?? join(homedir(), ".cargo");

const odd = freshFolder("odd");
const home = freshFolder("home");
process.env.HOME = home;
process.env.XDG_CONFIG_HOME = join(home, ".config");
write(home, [[".config/git/ignore", "names/-dash.txt\n*.b/\n"]]);
oddTree(odd);
after(() => {
  for (const folder of [odd, home]) rmSync(folder, { recursive: true, force: true });
});

test("a tree of oddities, no repository: the same lines as ripgrep", () =>
  agree(odd, QUERIES, { minimal: true }));

test("the same as a repository, by one worker and by three", async () => {
  asRepository(odd);
  await agree(odd, QUERIES, { minimal: true });
  await agree(odd, QUERIES, { minimal: true, options: { workers: 3 } });
});

test("a folder of it as the root: the rules above it hold", async () => {
  const queries = QUERIES.filter(({ path, globs }) => !path && !globs);
  for (const folder of ["sub", "sub/dir", "nested", "nested/deep", "whitelist/b"]) {
    await agree(join(odd, folder), queries.slice(0, 12));
  }
});

test("the person's excludes from git's configuration", async () => {
  write(home, [
    [".gitconfig", "[user]\n\tname = x\n[core]\n\texcludesFile = ~/my-ignore\n"],
    ["my-ignore", "*.keep\n"],
  ]);
  await agree(odd, QUERIES.slice(0, 3));
});

test("find_files: the same files as ripgrep", async () => {
  const tree = openTree(odd);
  for (const glob of GLOBS) {
    const found = ourFiles(await tree.findFiles({ glob, ...ALL }));
    const differing = differences(found, rgFiles(odd, glob));
    assert.deepEqual(differing, [], `glob ${glob}`);
  }
  await tree.close();
});

/** Real sources that are on the disk anyway. */
const REAL = [
  { at: "node_modules", root: fileURLToPath(new URL("../../node_modules", import.meta.url)) },
  { at: "the crates' sources", root: join(cargo, "registry/src") },
].filter(({ root }) => existsSync(root));

const REAL_QUERIES = [
  { pattern: "unsafe_code" },
  { pattern: "fn \\w+\\(", globs: ["!*.js"] },
  { pattern: "TODO|FIXME|XXX|HACK" },
  { pattern: "deprecated", ignore_case: true },
  { pattern: "\\w{5}\\s+\\w{5}\\s+\\w{5}" },
  { pattern: "[A-Z]\\w+\\.[a-z]+\\(" },
  { pattern: "Error", word: true },
  { pattern: "^export default" },
  { pattern: "\\bimpl\\b.*\\bfor\\b" },
  { pattern: "require\\(['\"]fs['\"]\\)" },
  { pattern: "zzz_no_match_zzz" },
  { pattern: "\\}\\n\\n\\nfn", multiline: true, globs: ["l*.rs"] }, // ripgrep 13 takes 6 s for all
  { pattern: "é|ü|ñ", ignore_case: true },
];

for (const { at, root } of REAL) {
  test(`${at}: the same lines as ripgrep, cold and warm`, () =>
    agree(root, [...REAL_QUERIES, ...REAL_QUERIES.slice(0, 3)]));
}
