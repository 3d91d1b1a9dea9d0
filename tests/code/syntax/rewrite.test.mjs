// Random rewrites of real files: each still parses where it did before, and the inverse gives the file back to the byte.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { library, random, sources } from "./lib.mjs";

const FILES = 150;
// Minified files are left out: in `return(0,f)()` a name in front of the call is put behind a space, which stays.
const LONGEST = 1_000;
const CALLS = {
  rust: [".rs", "call_expression"],
  // declaration files, which are most of what there is, hold no calls
  typescript: [".js", "call_expression"],
  javascript: [".js", "call_expression"],
  python: [".py", "call"],
};

let grammars;
before(async () => {
  grammars = await library();
});

const rewritten = (language, [query, rewrite], text) =>
  grammars(language, query).rewrite(language, query, rewrite, text);

const named = (name) => `rule: { kind: identifier, regex: ^${name}$ }`;

/** A call that gets another around it, in one line or in several, or a name that gets another one; with the inverse. */
function edits(kind, text, below) {
  const call = `rule: { kind: ${kind}, pattern: $A }`;
  const names = [...new Set(text.match(/\b[a-z]\w{3,}\b/g) ?? ["none"])];
  const name = names[below(names.length)];
  return [
    { there: [call, "wrapped__($A)"], back: ["wrapped__($A)", "$A"] },
    { there: [call, "wrapped__(\n  $A\n)"], back: ["wrapped__($A)", "$A"] },
    { there: [named(name), `${name}__`], back: [named(`${name}__`), name] },
  ];
}

for (const [language, [extension, kind]] of Object.entries(CALLS)) {
  test(`random rewrites in ${language} have an inverse`, { timeout: 600_000 }, (t) => {
    const it = grammars(language);
    const below = random();
    let changed = 0;
    for (const { path, text } of sources(extension, FILES, { most: 60_000, longest: LONGEST })) {
      if (text.includes("__(") || it.hasErrors(language, text)) continue;
      for (const { there, back } of edits(kind, text, below)) {
        const other = rewritten(language, there, text);
        if (other === text) continue;
        changed += 1;
        const how = `${path}: ${there.join(" → ")}`;
        assert.ok(!it.hasErrors(language, other), `${how} does not parse any more`);
        assert.ok(rewritten(language, back, other) === text, `${how} has no inverse`);
      }
    }
    assert.ok(changed > 50, `only ${changed} rewrites changed a file`);
    t.diagnostic(`${changed} rewrites`);
  });
}
