// Trees to search: one with every oddity that a search must get right, and helpers that change it.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A number generator with a seed (mulberry32), so that a failure can be run again. */
export function seeded(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    below: (n) => Math.floor(next() * n),
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

export const freshFolder = (name) => mkdtempSync(join(tmpdir(), `code-${name}-`));

/** Writes files by path; a path is a string or a Buffer, for names that are no UTF-8. */
export function write(root, files) {
  for (const [path, contents] of files) {
    const at = typeof path === "string" ? join(root, path) : Buffer.concat([Buffer.from(`${root}/`), path]);
    if (typeof at === "string") mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, contents);
  }
}

const utf16 = (text, big) => {
  const bytes = Buffer.from(`\uFEFF${text}`, "utf16le");
  return big ? bytes.swap16() : bytes;
};
const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));

const SOURCE = `// a source file
use std::io;

pub fn parse_header(input: &str) -> Header {
    let needle = input.len();
    println!("Needle {needle}");
}

fn main() {
    let x = parse_header("foo");
    // TODO: foo bar
    call( a, b );
}
struct Header;
impl Header { fn new() -> Self { Header } }
`;

/** The tree of oddities below `root`; the folder `plain` in it is outside of the repository's rules only by `.ignore`s. */
export function oddTree(root) {
  const needle = "a needle here\nfoo bar\n";
  write(root, [
    ["src/main.rs", SOURCE],
    ["src/lib.rs", SOURCE.replaceAll("needle", "NEEDLE")],
    ["src/deep/er/and/deeper.rs", SOURCE],
    ["README.md", "# Needle\n\nfoo\n\n\nbar\n"],
    // ignore rules: every level, negation, anchors, folders, escapes, comments, trailing blanks
    [
      ".gitignore",
      "*.log\n!keep.log\n/build/\ntarget\n# comment\n\\#hash\n\\!bang\nspace \\ \ndocs/**/gen\n*.tmp \n[ab]*.cls\n",
    ],
    ["a.log", needle],
    ["keep.log", needle],
    ["build/out.txt", needle],
    ["sub/build/out.txt", needle],
    ["target/x.txt", needle],
    ["sub/target/x.txt", needle],
    ["#hash", needle],
    ["!bang", needle],
    ["docs/gen/a.txt", needle],
    ["docs/x/y/gen/a.txt", needle],
    ["docs/x/y/kept/a.txt", needle],
    ["x.tmp", needle],
    ["a1.cls", needle],
    ["c1.cls", needle],
    ["sub/.gitignore", "!*.log\nlocal.txt\n/only-here.txt\n"],
    ["sub/b.log", needle],
    ["sub/local.txt", needle],
    ["sub/below/local.txt", needle],
    ["sub/below/only-here.txt", needle],
    ["sub/only-here.txt", needle],
    ["sub/dir/.ignore", "*.md\n!shown.md\n"],
    ["sub/dir/hidden.md", needle],
    ["sub/dir/shown.md", needle],
    ["sub/dir/.rgignore", "!hidden2.md\nsecret.txt\n"],
    ["sub/dir/hidden2.md", needle],
    ["sub/dir/secret.txt", needle],
    ["whitelist/.gitignore", "*\n!*/\n!*.keep\n!.gitignore\n"],
    ["whitelist/a.txt", needle],
    ["whitelist/a.keep", needle],
    ["whitelist/b/c/d.keep", needle],
    ["whitelist/b/c/d.txt", needle],
    ["crlf-rules/.gitignore", "*.foo\r\nbar\r\n"],
    ["crlf-rules/a.foo", needle],
    ["crlf-rules/bar", needle],
    ["bad-rules/.gitignore", bytes("one.txt\n", [0xff, 0xfe], "\ntwo.txt\n")],
    ["bad-rules/one.txt", needle],
    ["bad-rules/two.txt", needle],
    ["bad-glob/.gitignore", "a[.txt\nb.txt\n"],
    ["bad-glob/a[.txt", needle],
    ["bad-glob/b.txt", needle],
    // hidden
    [".hidden", needle],
    [".hidden-dir/a.txt", needle],
    [".github/workflows/ci.yml", needle],
    ["sub/.shown/.gitignore", "!.shown-too\n"],
    ["sub/.shown/.shown-too", needle],
    ["unhide/.gitignore", "!.visible\n!.vis-dir\n"],
    ["unhide/.visible", needle],
    ["unhide/.vis-dir/a.txt", needle],
    // nested repositories
    ["nested/.git/HEAD", "ref: refs/heads/main\n"],
    ["nested/.git/info/exclude", "excluded-by-info.txt\n"],
    ["nested/.gitignore", "inner.txt\n"],
    ["nested/inner.txt", needle],
    ["nested/excluded-by-info.txt", needle],
    ["nested/a.log", needle],
    ["nested/deep/a.log", needle],
    ["nested/deep/inner.txt", needle],
    ["worktree/.git", "gitdir: ../nowhere\n"],
    ["worktree/a.log", needle],
    // encodings and ends
    ["text/utf8-bom.txt", `\uFEFFneedle first\nsecond\n`],
    ["text/utf16le.txt", utf16("a needle in LE\nzweite Zeile ü\nNeedle\n", false)],
    ["text/utf16be.txt", utf16("a needle in BE\nfoo bar\n", true)],
    ["text/utf16-odd.txt", Buffer.concat([utf16("a needle\nodd", false), Buffer.from([0x41])])],
    ["text/latin1.txt", bytes("na", [0xef], "ve needle\n", [0xff, 0xfe, 0x41], "\nneedle ", [0x80], "\n")],
    ["text/bad.txt", bytes("ok\n", [0xc3, 0x28, 0xa0, 0xa1], " needle\nfoo\n")],
    ["text/crlf.txt", "one needle\r\ntwo\r\nneedle\r\n\r\nfoo bar\r\n"],
    ["text/cr.txt", "one needle\rtwo\rneedle"],
    ["text/no-newline.txt", "needle at the end: needle"],
    ["text/empty.txt", ""],
    ["text/only-newlines.txt", "\n\n\n"],
    ["text/long-line.txt", `${"x".repeat(100_000)} needle ${"y".repeat(100_000)}\nneedle\n`],
    [
      "text/unicode.txt",
      "Übergröße needle\nΣΑΣ σας\nКириллица\n日本語 needle\nnaïve café\nſtraße \u212A kelvin\n",
    ],
    ["text/tabs.txt", "\tneedle\tfoo\n\x0b\x0cneedle\n"],
    // binary
    ["bin/nul-first.bin", bytes([0], "needle\n")],
    ["bin/nul-later.bin", bytes("needle\nfoo\n", "x".repeat(1000), [0], "\nneedle\n")],
    ["bin/nul-at-end.txt", bytes("needle\nfoo bar\n", [0])],
    ["bin/pic.png", bytes([0x89], "PNG\r\n", [0x1a, 0x0a, 0, 0], "needle")],
    // names
    ["names/with space.txt", needle],
    ["names/ünï-cödé.txt", needle],
    ["names/new\nline.txt", needle],
    ["names/tab\t.txt", needle],
    ['names/quo"te\\back.txt', needle],
    ["names/-dash.txt", needle],
    ["names/[brackets].txt", needle],
    ["names/{braces}.txt", needle],
    ["names/UPPER.TXT", needle],
    ["a-b/x.txt", needle],
    ["a/x.txt", needle],
    ["a.b/x.txt", needle],
  ]);
  write(root, [
    [Buffer.concat([Buffer.from("names/bad"), Buffer.from([0xff, 0xfe]), Buffer.from("name.txt")]), needle],
    [Buffer.concat([Buffer.from("names/latin"), Buffer.from([0xe9]), Buffer.from(".log")]), needle],
  ]);
  symlinkSync("main.rs", join(root, "src/link.rs"));
  symlinkSync(".", join(root, "src/loop"));
  symlinkSync("../src", join(root, "sub/link-dir"));
  symlinkSync("/etc", join(root, "outside"));
  symlinkSync("nowhere", join(root, "dangling"));
  execFileSync("mkfifo", [join(root, "pipe")]);
  write(root, [
    ["locked/a.txt", needle],
    ["locked.txt", needle],
  ]);
  chmodSync(join(root, "locked.txt"), 0o000);
  chmodSync(join(root, "locked"), 0o000);
}

/** Makes the tree a repository, with excludes of its own. */
export function asRepository(root) {
  write(root, [
    [".git/HEAD", "ref: refs/heads/main\n"],
    [".git/info/exclude", "c1.cls\n/names/UPPER.TXT\n"],
    [".git/config", "[core]\n\tbare = false\n"],
  ]);
}
