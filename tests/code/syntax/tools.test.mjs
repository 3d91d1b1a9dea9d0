// The grammars of both modules, through the wasm: what every one of them can do, and what none of them may.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { library, random, sources } from "./lib.mjs";
import { SAMPLES } from "./samples.mjs";

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

test("outlines find what the tags queries find", (t) => {
  const texts = Object.entries(SAMPLES).flatMap(([language, [sound, , broken]]) =>
    [sound, broken].filter(Boolean).map((text) => ({ language, text })),
  );
  for (const [language, extension] of [
    ["c", ".c"],
    ["css", ".css"],
    ["javascript", ".js"],
    ["json", ".json"],
    ["python", ".py"],
    ["rust", ".rs"],
    ["tsx", ".ts"],
    ["typescript", ".ts"],
  ]) {
    const found = sources(extension, 100, { most: 100_000 });
    texts.push(...found.map(({ text, path }) => ({ language, text, path })));
  }
  let count = 0;
  for (const { language, text, path = language } of texts) {
    const found = JSON.parse(grammars(language).definitions(language, text));
    assert.deepEqual(found, JSON.parse(grammars(language).symbols(language, text)).definitions, path);
    count += found.length;
  }
  t.diagnostic(`${texts.length} files, ${count} definitions`);
  assert.ok(count > 1_000, `${count}`);
});

test("a text is read the same by what the lexers keep of an earlier one", async () => {
  const first = await library();
  for (const [language, [sound, , broken]] of Object.entries(SAMPLES)) {
    for (const text of [sound, `${sound}\u00e9 \u2028$`, broken].filter(Boolean)) {
      const read = () => first(language).tree(language, text);
      const tree = read();
      first(language).tree(language, "x");
      assert.equal(read(), tree, `${language}: ${text}`);
      assert.equal(grammars(language).tree(language, text), tree, `${language}: ${text}`);
    }
  }
});

test("random edits re-parsed from the old tree give the tree of the new text", () => {
  const below = random();
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
        const at = below(now.length);
        now = now.slice(0, at) + pieces[below(pieces.length)] + now.slice(at + below(4));
        const kept = it.diagnostics("kept", language, now);
        const fresh = it.diagnostics(`fresh ${n}`, language, now);
        assert.equal(kept, fresh);
      }
    }
  }
});
