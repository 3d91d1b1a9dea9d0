// The same patterns over the same real files: our matches against those of ast-grep's own program.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { at } from "../../../tools/lib.mjs";
import { library, scratch, sources } from "./lib.mjs";

const FILES = 500;
const RULE = {
  rust: "rule:\n  pattern: $X.unwrap()\n  inside: { kind: block, stopBy: end }\n",
  typescript:
    "rule:\n  kind: predefined_type\n  regex: ^string$\n  inside: { kind: union_type, stopBy: end }\n",
  javascript:
    "rule:\n  pattern: return $X\n  inside: { kind: if_statement, stopBy: end }\n  not: { has: { kind: number } }\n",
  python:
    "rule:\n  any:\n    - pattern: raise $X\n    - pattern: assert $X\n  inside: { kind: function_definition, stopBy: end }\n",
};
const PATTERNS = {
  rust: [
    ...[
      "$A.unwrap()",
      "Some($X)",
      "fn $F($$$A) -> $R { $$$B }",
      "pub fn $F($$$A) { $$$B }",
      "impl $T for $S { $$$B }",
    ],
    ...[
      "let $A = $B;",
      "$A == $A",
      "if $C { $$$T } else { $$$E }",
      "match $X { $$$A }",
      "use $P;",
      "&mut $X",
      "vec![$$$X]",
    ],
    ...[
      "return Err($E);",
      "#[inline]",
      "$X.map(|$A| $B)",
      "assert_eq!($A, $B)",
      "Vec::new()",
      "for $P in $I { $$$B }",
      "$A as $T",
    ],
  ],
  typescript: [
    ...[
      "interface $N { $$$B }",
      "function $F($$$A): $R",
      "declare function $F($$$A): $R",
      "type $N = $T",
      "$A.$B",
    ],
    ...[
      "export interface $N extends $P { $$$B }",
      "declare var $N: $T",
      "type $N = keyof $T",
      "export default $X",
    ],
    ...[
      "class $C { $$$B }",
      "export declare function $F($$$A): $R",
      "export type $N = $T",
      "export { $$$A }",
    ],
    ...["const $A: $T", "declare module $M { $$$B }", "namespace $N { $$$B }", "interface $N<$T> { $$$B }"],
    ...["export class $C extends $P { $$$B }", "enum $N { $$$B }", "$F($A)"],
  ],
  javascript: [
    ...[
      "$A === $B",
      "function $F($$$A) { $$$B }",
      "const $A = require($B)",
      "$A && $A.$B",
      "if ($C) { $$$B }",
      "return $X",
      "$F($A)",
    ],
    ...[
      "new $C($$$A)",
      "$A.prototype.$B = $C",
      "for (let $I = 0; $C; $S) { $$$B }",
      "throw new Error($M)",
      "typeof $X === $T",
    ],
    ...[
      "($A) => $B",
      "async function $F($$$A) { $$$B }",
      "$A ? $B : $C",
      "try { $$$A } catch ($E) { $$$B }",
      "module.exports = $X",
    ],
    ...["class $C extends $P { $$$B }", "$A += 1"],
  ],
  python: [
    ...[
      "print($X)",
      "def $F(self, $$$A): $$$B",
      "if $A is None: $$$B",
      "return $X",
      "raise $E",
      "import $M",
      "from $M import $N",
    ],
    ...[
      "$A == $B",
      "self.$A = $B",
      "for $I in $X: $$$B",
      "isinstance($A, $B)",
      "class $C($P): $$$B",
      "try:\n    $$$A\nexcept $E:\n    $$$B",
    ],
    ...[
      "len($X)",
      "lambda $A: $B",
      "[$X for $Y in $Z]",
      "assert $X",
      "$A if $B else $C",
      "with $A as $B: $$$C",
    ],
  ],
};
const kinds = (...names) => names.map((name) => `rule: { kind: ${name} }`);
/** Languages of which not every machine has many files. */
const FEWER = {
  c: [
    ...[
      "#include $P",
      "#define $N $V",
      "typedef $T $N;",
      "rule: { kind: struct_specifier }",
      "enum $N { $$$B }",
    ],
    ...["extern $T $N;", "return $X;", "if ($C) { $$$B }", "$A->$B", "sizeof($X)"],
    ...kinds("preproc_ifdef", "comment", "parameter_declaration", "pointer_declarator", "string_literal"),
    "rule: { kind: field_declaration, inside: { kind: struct_specifier, stopBy: end } }",
    "rule: { kind: type_identifier, regex: ^u?int }",
    "rule: { kind: call_expression, has: { kind: argument_list } }",
    "rule: { kind: declaration, not: { has: { kind: function_declarator, stopBy: end } } }",
    "rule: { any: [{ kind: enumerator }, { kind: preproc_call }] }",
  ],
  css: [
    ...[
      "color: $C",
      "display: $D",
      "rule: { kind: property_name }",
      "margin: $A $B",
      "@media $Q { $$$R }",
      ".$C { $$$R }",
    ],
    ...kinds("class_selector", "id_selector", "pseudo_class_selector", "declaration", "color_value"),
    ...kinds("call_expression", "integer_value", "media_statement", "descendant_selector", "comment"),
    "rule: { kind: declaration, has: { kind: property_name, regex: ^background } }",
    "rule: { kind: rule_set, not: { has: { kind: class_selector, stopBy: end } } }",
    "rule: { kind: plain_value, inside: { kind: declaration } }",
    "rule: { any: [{ kind: string_value }, { kind: float_value }] }",
  ],
  json: [
    ...['{ "url": $U }', "[$A]", "[]", "{}", "true", "null", "rule: { kind: document }"],
    ...kinds("pair", "object", "array", "number", "string", "string_content"),
    "rule: { kind: pair, has: { field: key, regex: name } }",
    "rule: { kind: string, inside: { kind: array } }",
    "rule: { kind: array, not: { has: { kind: string } } }",
    "rule: { kind: number, regex: ^0 }",
    "rule: { any: [{ kind: escape_sequence }, { kind: array }] }",
  ],
};
const EXTENSIONS = {
  rust: ".rs",
  typescript: ".ts",
  javascript: ".js",
  python: ".py",
  c: ".c",
  css: ".css",
  json: ".json",
};

/** ast-grep's program, out of its npm package for this system. */
function astGrep() {
  const scope = at("node_modules/@ast-grep");
  const names = existsSync(scope) ? readdirSync(scope).filter((name) => name.startsWith("cli-")) : [];
  return names.map((name) => join(scope, name, "ast-grep")).find((path) => existsSync(path));
}

let grammars;
before(async () => {
  grammars = await library();
});

/** Its matches by file name, as `start-end` in bytes. */
function theirs(program, dir, language, query) {
  const isRule = query.startsWith("rule:");
  const rule = `id: r\nlanguage: ${language}\n${query}`;
  const what = isRule ? ["scan", "--inline-rules", rule] : ["run", "--pattern", query, "--lang", language];
  const args = [...what, "--json=stream", dir];
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 30 });
  assert.ok(status === 0 || status === 1, `${args.join(" ")}: ${stderr}`);
  const byFile = new Map();
  for (const line of stdout.split("\n").filter(Boolean)) {
    const { file, range } = JSON.parse(line);
    const name = basename(file);
    const { start, end } = range.byteOffset;
    byFile.set(name, [...(byFile.get(name) ?? []), `${start}-${end}`]);
  }
  return byFile;
}

/** Up to `FILES` of them. */
function filesOf(language, most = 400_000) {
  // ast-grep prints the whole line of each match: of minified files that is more than a string can hold
  return sources(EXTENSIONS[language], FILES, { longest: 2_000, most });
}

/** Compares the matches of all queries in real files. */
function compare(t, language, queries, texts) {
  const program = astGrep();
  assert.ok(program, "@ast-grep/cli has no program for this system");
  const dir = scratch(`oracle-${language}`);
  rmSync(dir, { recursive: true });
  scratch(`oracle-${language}`);
  const nameOf = (n) => `${n}${EXTENSIONS[language]}`;
  texts.forEach(({ text }, n) => writeFileSync(join(dir, nameOf(n)), text));
  const expected = queries.map((query) => theirs(program, dir, language, query));
  const counts = queries.map(() => 0);
  texts.forEach(({ path, text }, n) => {
    queries.forEach((query, q) => {
      const found = [...grammars(language, query).find(language, query, text)];
      const ours = found.flatMap((start, i) => (i % 2 === 0 ? [`${start}-${found[i + 1]}`] : []));
      const wanted = expected[q].get(nameOf(n)) ?? [];
      assert.deepEqual(ours.sort(), wanted.sort(), `${query} in ${path}`);
      counts[q] += ours.length;
    });
  });
  const vain = queries.filter((_, q) => counts[q] === 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  assert.ok(vain.length <= 5, `these match nothing, so they test nothing: ${vain.join("; ")}`);
  t.diagnostic(`${texts.length} files, ${queries.length} patterns, ${total} matches`);
}

for (const [language, patterns] of Object.entries(PATTERNS)) {
  test(`20 patterns in ${language} match what ast-grep matches`, { timeout: 600_000 }, (t) => {
    const texts = filesOf(language);
    assert.ok(texts.length >= 100, `only ${texts.length} files of ${language} on this machine`);
    compare(t, language, [...patterns, RULE[language]], texts);
  });
}

for (const [language, queries] of Object.entries(FEWER)) {
  test(`20 patterns in ${language} match what ast-grep matches`, { timeout: 600_000 }, (t) => {
    const texts = filesOf(language, 60_000);
    if (texts.length < 20) return t.skip(`only ${texts.length} files of ${language} on this machine`);
    compare(t, language, queries, texts);
  });
}
