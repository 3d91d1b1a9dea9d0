// Changes of a small tree, of every kind that a search must see: by this program and by others.
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { asRepository, write } from "./trees.mjs";

export const WORDS = ["alpha", "beta", "gamma", "delta", "Alpha", "BETA", "gam", "ma"];
export const NAMES = [
  ...["a", "b", "c.txt", "d.rs", ".hidden", "e.log"],
  ...["x/y", "x/z.txt", "x/deep/er.rs", "k/l/m.txt"],
];
const FOLDERS = ["x", "x2", "x/deep", "k", "k/l"];
const RULES = ["*.log\n", "d.rs\n", "x/\n", "!e.log\n", "/b\n", "*.txt\n!c.txt\n", ""];

export const QUERIES = [
  { pattern: "alpha" },
  { pattern: "beta", ignore_case: true },
  { pattern: "gamma|delta" },
  { pattern: "gam\\w*", word: true },
  { pattern: "m" },
  { pattern: "alpha\\s+beta", multiline: true },
];

/** Old times: what is older than two seconds is trusted by its stat. */
const OLD = new Date("2020-02-02T02:02:02Z");
export function age(path) {
  try {
    utimesSync(path, OLD, OLD);
  } catch {
    // gone
  }
}

/** The tree that changes begin with, all of it old. */
export function makeTree(root) {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  asRepository(root);
  write(
    root,
    NAMES.map((name) => [name, WORDS.join("\n")]),
  );
  for (const name of NAMES) age(join(root, name));
}

/** In `path` the letter `a` becomes `o` by shared memory, which is let go of at the end. */
const BY_MEMORY = `
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    with mmap.mmap(file.fileno(), 0) as shared:
        shared[:] = bytes(shared).replace(b"a", b"o")
`;
const BY_PROCESS = `
import os, sys
path = sys.argv[1]
stat = os.stat(path)
text = open(path).read()
open(path, "w").write(text[::-1])
os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
`;

/**
 * One change: of contents in place, same size and same time; of names, kinds, rules. With `watched` also those that a
 * watcher may get wrong; `outside` is a folder beside the tree. Gives what it was, in words.
 */
export function mutate(random, root, { watched = false, outside = "", memory = false } = {}) {
  const path = join(root, random.pick(NAMES));
  const other = () => join(root, random.pick(NAMES));
  const folder = () => join(root, random.pick(FOLDERS));
  const text = () =>
    Array.from({ length: 1 + random.below(5) }, () => random.pick(WORDS)).join(random.pick([" ", "\n"]));
  const changed = () => readFileSync(path, "latin1").replace(/a/g, "o");
  const python = (program) => spawnSync("python3", ["-c", program, path]);
  const usual = [
    () => writeFileSync(path, text()),
    () => appendFileSync(path, `\n${text()}\n`),
    () => writeFileSync(path, readFileSync(path, "latin1").split("").reverse().join("")), // same size
    () => {
      writeFileSync(path, changed()); // same size, and the time set back
      age(path);
    },
    () => rmSync(path, { recursive: true }),
    () => renameSync(path, other()),
    () => {
      writeFileSync(`${path}.new`, text());
      renameSync(`${path}.new`, path); // as editors save
    },
    () => {
      rmSync(path, { recursive: true });
      symlinkSync("a", path);
    },
    // nobody tells of a link in a folder that is not searched, which `x` may be: UNTOLD_MS is for that
    () => (watched && path.startsWith(join(root, "x"))) || linkSync(other(), path),
    () => writeFileSync(path, Buffer.concat([Buffer.from(text()), Buffer.from([0])])),
    () => writeFileSync(path, Buffer.from(`\uFEFF${text()}`, "utf16le")),
    () =>
      writeFileSync(
        join(dirname(path), random.pick([".gitignore", ".ignore", ".rgignore"])),
        random.pick(RULES),
      ),
    () => renameSync(join(root, "x"), join(root, "x2")),
    () => renameSync(join(root, "x2"), join(root, "x")),
    () => age(path),
    () => age(dirname(path)),
  ];
  const more = [
    () => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, changed());
      utimesSync(path, atime, mtime);
    },
    () => {
      // two folders change places
      const [one, two] = [folder(), folder()];
      renameSync(one, `${one}.swap`);
      renameSync(two, one);
      renameSync(`${one}.swap`, two);
    },
    () => {
      // one from outside takes a folder's place
      const place = folder();
      rmSync(join(outside, "twin"), { recursive: true, force: true });
      cpSync(place, join(outside, "twin"), { recursive: true });
      write(join(outside, "twin"), [[random.pick(["y", "z.txt", "m.txt"]), text()]]);
      renameSync(place, join(outside, `gone-${random.below(1e9)}`));
      renameSync(join(outside, "twin"), place);
    },
    () => rmSync(folder(), { recursive: true }),
    () => mkdirSync(folder(), { recursive: true }),
    () => {
      // by a second name, which may go again
      const link = join(root, random.pick(["k/link", "link"]));
      rmSync(link, { force: true });
      linkSync(path, link);
      if (random.below(2)) writeFileSync(link, text());
      if (random.below(2)) rmSync(link);
      else if (random.below(2)) renameSync(link, join(root, random.pick(["a", "k/l/m.txt", "link2"])));
    },
    () => writeFileSync(join(root, random.pick(["k/link", "link", "link2"])), text()),
    () => {
      // open while its name changes
      const file = openSync(path, "r+");
      renameSync(path, other());
      writeSync(file, text());
      closeSync(file);
    },
    () => truncateSync(path, random.below(20)),
    () => python(BY_PROCESS),
    () => writeFileSync(join(root, ".git/info/exclude"), random.pick(RULES)),
    () => {
      rmSync(join(root, ".gitignore"), { force: true });
      symlinkSync(random.pick(["x/.gitignore", "rules"]), join(root, ".gitignore"));
    },
    () => writeFileSync(join(root, "rules"), random.pick(RULES)),
    () => {
      const rules = join(root, random.pick(["x/.ignore", ".ignore"]));
      rmSync(rules, { force: true });
      linkSync(join(root, "rules"), rules);
    },
    () => {
      rmSync(join(root, "k/.git"), { recursive: true, force: true });
      if (random.below(2)) mkdirSync(join(root, "k/.git"), { recursive: true });
    },
    () => {
      // the whole tree is another one, or what it is in
      const place = random.pick([root, dirname(root)]);
      rmSync(join(outside, "twin"), { recursive: true, force: true });
      cpSync(place, join(outside, "twin"), { recursive: true, verbatimSymlinks: true });
      renameSync(place, join(outside, `gone-${random.below(1e9)}`));
      renameSync(join(outside, "twin"), place);
      write(root, [[random.pick(["a", "b"]), text()]]);
    },
    () => chmodSync(folder(), random.pick([0o755, 0o700])),
    ...(memory ? [() => python(BY_MEMORY)] : []),
  ];
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch {
    // a file is in the way
  }
  const change = random.pick(watched ? [...usual, ...more] : usual);
  try {
    change();
  } catch {
    // a folder where a file should be, or nothing: another change then
  }
  return `${path}: ${change}`;
}
