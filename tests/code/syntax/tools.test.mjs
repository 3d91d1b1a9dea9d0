// The grammars of both modules, through the wasm: what every one of them can do, and what none of them may.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { library, sources } from "./lib.mjs";

/** For each language a sound text, a symbol that it defines, and a broken text. */
const SAMPLES = {
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
  toml: ["[a]\nb = 1\n", "a", "[a]\nb = \n"],
  tsx: [
    "function f(a: number) { return <p>{a}</p>; }\n",
    "f",
    "function f(a: number) { return <p>{a}</b>; \n",
  ],
  typescript: ["interface I { a: string }\n", "I", "interface I { a: string \n"],
  yaml: ["a:\n  b: 1\n", "a", "a: [1, 2\n"],
};

let grammars;
before(async () => {
  grammars = await library();
});

test("there is a sample for every language", () => {
  assert.deepEqual(Object.keys(SAMPLES).sort(), grammars.languages);
});

for (const [language, [sound, symbol, broken]] of Object.entries(SAMPLES)) {
  test(`${language}: sound text, symbols, errors`, () => {
    const it = grammars(language);
    const path = `sample.${language}`;
    assert.deepEqual(JSON.parse(it.diagnostics(path, language, sound)), []);
    const { definitions } = JSON.parse(it.symbols(language, sound));
    assert.ok(
      definitions.some(({ name }) => name === symbol),
      JSON.stringify(definitions),
    );
    if (broken === undefined) return; // every text is Markdown
    const [first] = JSON.parse(it.diagnostics(path, language, broken));
    assert.ok(first, "no error was found");
    assert.ok(first.line >= 1 && first.column >= 1 && first.message.length > 5, JSON.stringify(first));
  });
}

test("monsters cost no grammar its life, and at most an instance", { timeout: 300_000 }, async (t) => {
  const monsters = [
    "[".repeat(10_000) + "]".repeat(10_000),
    `x=${"f(".repeat(10_000)}1${")".repeat(10_000)};`,
    `${"a b ".repeat(10_000)}\n`,
  ];
  const [slow, lost] = [[], []];
  let fresh = await library();
  for (const language of grammars.languages) {
    for (const [n, monster] of monsters.entries()) {
      const began = performance.now();
      for (const call of [
        (it) => it.diagnostics(`monster.${language}`, language, monster),
        (it) =>
          it.find(language, "rule: { kind: identifier, inside: { kind: block, stopBy: end } }", monster),
      ]) {
        try {
          call(fresh(language));
        } catch (error) {
          if (error.constructor === Error) continue; // refused in words
          // the parser's own recursion: what serves the tools makes a fresh instance then, as this does
          lost.push(`${language} ${n}`);
          fresh = await library();
        }
      }
      const ms = Math.round(performance.now() - began);
      if (ms > 1_000) slow.push(`${language} ${n}: ${ms} ms`);
    }
    assert.deepEqual(JSON.parse(fresh(language).diagnostics("x", language, SAMPLES[language][0])), []);
  }
  t.diagnostic(`instances lost: ${lost.join(", ") || "none"}; slow: ${slow.join(", ") || "none"}`);
  assert.ok(lost.length <= 6, lost.join());
});

test("random edits re-parsed from the old tree give the tree of the new text", () => {
  // a linear congruential generator: the same edits in every run
  let seed = 1;
  const random = (n) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) % n;
  const pieces = ["", "(", ")", "{", "}", "x", " ", "\n", '"', "if ", "é", "1,", "fn "];
  for (const [language, extension] of [
    ["rust", ".rs"],
    ["typescript", ".ts"],
    ["python", ".py"],
  ]) {
    const it = grammars(language);
    for (const { text } of sources(extension, 10, { most: 20_000 })) {
      let now = text;
      for (let n = 0; n < 10; n++) {
        const at = random(now.length);
        now = now.slice(0, at) + pieces[random(pieces.length)] + now.slice(at + random(4));
        const kept = it.diagnostics("kept", language, now);
        const fresh = it.diagnostics(`fresh ${n}`, language, now);
        assert.equal(kept, fresh);
      }
    }
  }
});
