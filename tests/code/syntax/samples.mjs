// One file of each language, and what is known of it.

/** For each language a sound text, a symbol that it defines, and a broken text. */
export const SAMPLES = {
  bash: ["f() { echo $1; }\n", "f", "if true; then\n  echo x\n"],
  c: ["int f(int a) { return a; }\n", "f", "int f(int a { return a; }\n"],
  cpp: ["namespace n { class A { void f() {} }; }\n", "A", "class A { void f( {} };\n"],
  csharp: ["class A { int F(int x) { return x; } }\n", "F", "class A { int F(int x { return x; } }\n"],
  css: [".a { color: red; }\n", ".a", ".a { color: red;\n"],
  go: ["package p\n\nfunc F(a int) int { return a }\n", "F", "package p\n\nfunc F(a int int { return a }\n"],
  html: ['<div id="x"><p>t</p></div>\n', "x", "<div <p></div>\n"],
  java: ["class A { int f(int x) { return x; } }\n", "f", "class A { int f(int x { return x; } }\n"],
  javascript: ["function f(a) { return a; }\n", "f", "function f(a { return a; }\n"],
  json: ['{ "a": 1 }\n', "a", '{ "a": }\n'],
  kotlin: [
    "class A { fun f(x: Int): Int { return x } }\n",
    "f",
    "class A { fun f(x: Int: Int { return x }\n",
  ],
  lua: ["function f(a) return a end\n", "f", "function f(a return a end\n"],
  markdown: ["# Title\n\ntext\n", "Title", undefined],
  php: [
    "<h1>x</h1>\n<?php\nfunction f($a) { return $a; }\n?>\n",
    "f",
    "<?php\nfunction f($a { return $a; }\n",
  ],
  python: ["class A:\n    def f(self):\n        return 1\n", "f", "def f(:\n    return 1\n"],
  ruby: ["class A\n  def f(x)\n    x\n  end\nend\n", "f", "class A\n  def f(x\n    x\nend\n"],
  rust: ["fn f(a: u32) -> u32 { a }\n", "f", "fn f(a: u32 -> u32 { a }\n"],
  swift: [
    "class A { func f(x: Int) -> Int { return x } }\n",
    "f",
    "class A { func f(x: Int -> Int { return x }\n",
  ],
  toml: ["[a]\nb = 1\n", "a", "[a]\nb = \n"],
  tsx: [
    "function f(a: number) { return <p>{a}</p>; }\n",
    "f",
    "function f(a: number) { return <p>{a}</b>; \n",
  ],
  typescript: ["interface I { a: string }\n", "I", "interface I { a: string \n"],
  yaml: ["a:\n  b: 1\n", "a", "a: [1, 2\n"],
};

/** A file name's ending for each. */
export const EXTENSIONS = {
  bash: "sh",
  csharp: "cs",
  javascript: "js",
  kotlin: "kt",
  markdown: "md",
  python: "py",
  ruby: "rb",
  rust: "rs",
  typescript: "ts",
};
