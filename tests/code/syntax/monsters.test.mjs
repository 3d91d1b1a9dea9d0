// Files made to hurt, in every language: a parse ends, by itself or because it is given up, and nothing else suffers.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { at } from "../../../tools/lib.mjs";
import { library, scratch } from "./lib.mjs";
import { EXTENSIONS, SAMPLES } from "./samples.mjs";

const DEEP = 10_000;
const repeated = (text, bytes) => text.repeat(Math.ceil(bytes / text.length));
const MONSTERS = {
  "nested lists": "[".repeat(DEEP) + "]".repeat(DEEP),
  "nested calls": `x=${"f(".repeat(DEEP)}1${")".repeat(DEEP)};`,
  "nested blocks": "{".repeat(DEEP),
  words: repeated("a b ", 40_000),
  "nested elements": repeated("<<A ", 20_000),
  "nested generics": repeated("f<A<B<", 6_000),
  operators: repeated("x=f(1)+-*/%&|^~!<>?:;,.", 20_000),
};
/** An inside rule looks at all ancestors of each node: the worst that a query can ask. */
const RULE = "rule: { kind: identifier, inside: { kind: block, stopBy: end } }";

test("monsters cost no grammar its life, and at most an instance", { timeout: 900_000 }, async (t) => {
  const [slow, lost, refused] = [[], [], []];
  let it = await library();
  for (const [language, [sound]] of Object.entries(SAMPLES)) {
    const monsters = { ...MONSTERS, minified: repeated(sound.replaceAll("\n", " "), 50_000) };
    for (const [name, monster] of Object.entries(monsters)) {
      const began = performance.now();
      for (const call of ["diagnostics", "find", "symbols"]) {
        const args = { diagnostics: ["x", language, monster], find: [language, RULE, monster] };
        try {
          it(language, call === "find" ? RULE : "")[call](...(args[call] ?? [language, monster]));
        } catch (error) {
          if (error.constructor === Error) {
            if (/too intricate/.test(error.message)) refused.push(`${language} ${name}`);
            continue; // told in words
          }
          // the parser's own recursion: what serves the tools makes a fresh instance then, as this does
          lost.push(`${language} ${name}`);
          it = await library();
          break;
        }
      }
      const ms = Math.round(performance.now() - began);
      if (ms > 2_000) slow.push(`${language} ${name}: ${ms} ms`);
    }
    assert.throws(
      () => it(language).diagnostics("x", language, repeated("a ", 10_000_000)),
      /10\.0 MB; files above/,
    );
    assert.deepEqual(JSON.parse(it(language).diagnostics("x", language, sound)), []);
  }
  t.diagnostic(`instances lost: ${lost.join(", ") || "none"}`);
  t.diagnostic(`given up: ${[...new Set(refused)].join(", ") || "none"}`);
  t.diagnostic(`slow: ${slow.join(", ") || "none"}`);
  assert.ok(lost.length <= 6, lost.join());
  // its scanner reads to the end of the file for every word
  assert.ok(refused.includes("lua words"), refused.join());
});

test("a folder of monsters is searched all the same, and each is named", { timeout: 300_000 }, async (t) => {
  const { openTree } = await import(at("pkg/code.js"));
  const dir = scratch("monsters");
  rmSync(dir, { recursive: true });
  scratch("monsters");
  for (const [language, [sound]] of Object.entries(SAMPLES)) {
    const extension = EXTENSIONS[language] ?? language;
    const write = (name, ...parts) =>
      writeFileSync(join(dir, `${name}.${extension}`), Buffer.concat(parts.map(Buffer.from)));
    write("sound", sound);
    write("invalid", sound, [0xff, 0xfe, 0x80], "\n", sound);
    write("large", repeated(sound, 10_000_000));
    write("binary", sound, [0, 1, 2]);
  }
  writeFileSync(join(dir, "hard.lua"), MONSTERS.words);
  // the parser takes all memory in one step at the end of this: an instance is lost, and the request goes on without it
  writeFileSync(join(dir, "fatal.java"), repeated("f<A<B<", 100_000));
  const tree = openTree(dir);
  t.after(() => tree.close());
  const text = await tree.diagnostics({});
  assert.match(text, /not parsed: hard\.lua \(too intricate/);
  assert.match(text, /not parsed: fatal\.java \(it could not be read\)/);
  assert.match(text, /not parsed: large\.\w+,.*\(10\.0 MB; files above 4 MB are not parsed\)/);
  assert.doesNotMatch(text, /sound\.\w+:/);
  for (const [language, [, symbol]] of Object.entries(SAMPLES)) {
    const path = `invalid.${EXTENSIONS[language] ?? language}`;
    assert.ok((await tree.outline({ path })).includes(symbol), path);
    assert.match(await tree.astSearch({ pattern: "$A", language, path }), /match/, path);
  }
});
