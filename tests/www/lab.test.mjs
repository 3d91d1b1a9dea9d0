// The code lab: folders opened in every way, questions answered as one types, the syntax tree lit, and all of it for people.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openTree } from "../../pkg/code.js";
import { LAB_FILES, open, violations } from "./browser.mjs";

const FILES = 2_000;

let site, page, folder, local;
before(async () => {
  folder = join(mkdtempSync(join(tmpdir(), "lab-")), "project");
  for (let i = 0; i < FILES; i++) {
    const dir = join(folder, `part${i % 20}`);
    mkdirSync(dir, { recursive: true });
    const needle = i % 7 === 0 ? `  needle(${i}, "x");\n` : "";
    writeFileSync(
      join(dir, `file${i}.ts`),
      `export function f${i}() {\n${needle}  return ${i};\n}\n`.padEnd(i, "// "),
    );
  }
  local = openTree(folder);
  site = await open();
  page = await site.page("#view=lab");
});
after(async () => {
  await site.close();
  await local.close();
  rmSync(join(folder, ".."), { recursive: true });
});

const answer = (page) => page.locator("#lab-answer");
/** Waits until no question is open. */
const settled = (page) => page.locator("#lab-answer:not([aria-busy])").waitFor({ state: "attached" });

/** Waits until the tree is of the file that was asked for last. */
const drawn = (page) => page.locator("#lab-nodes:not([aria-busy])").waitFor({ state: "attached" });

/** Waits until a question was answered; gives the answer's lines. */
async function answered(page) {
  await page.locator("#lab-said", { hasText: /^Answered in / }).waitFor();
  await settled(page);
  return answer(page).evaluate((list) => [...list.children].map((line) => line.textContent));
}

async function tool(page, id) {
  await page.locator(`#tool-${id}`).check();
}

/** Types into a field; gives the answer. */
async function ask(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`#field-${name}`);
    if ((await field.evaluate((element) => element.tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  return answered(page);
}

const choose = async (page, path, name) => {
  await page.evaluate("delete window.showDirectoryPicker; window.showDirectoryPicker = undefined");
  const chooser = page.waitForEvent("filechooser");
  await page.locator("#lab-open").click();
  await (await chooser).setFiles(path);
  await page.locator("#lab-name", { hasText: name }).waitFor();
};

/** An answer's text as the page shows it, in lines. */
const lines = (text) =>
  text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => line || " ");

test("the sample is there at once, and each tool has something to say of it", async () => {
  assert.match((await answered(page)).at(-1), /matching lines in \d+ files/);
  await tool(page, "find_files");
  assert.equal((await answered(page))[0], "src/mission/phase.rs");
  await tool(page, "code_outline");
  assert.match((await answered(page))[0], /^src\/mission\/phase\.rs: rust, \d+ lines$/);
  await tool(page, "code_diagnostics");
  const problems = (await answered(page)).join("\n");
  for (const name of ["cart.ts", "invoice.py", "settings.json"])
    assert.match(problems, new RegExp(`^${name}:`, "m"));
  await page.locator("#lab-answer button", { hasText: "invoice.py" }).first().click();
  await page.locator("#lab-nodes .wrong").first().waitFor();
});

test("a folder of 2,000 files is searched as one types, and every match is there", async () => {
  await tool(page, "code_search");
  await choose(page, folder, "project");
  const shown = await ask(page, { pattern: "needle\\(\\d+[05]," });
  assert.deepEqual(shown, lines(await local.search({ pattern: "needle\\(\\d+[05]," })));
  // against what was written, not only against another build of the same code
  const expected = Array.from({ length: FILES }, (_, i) => i).filter(
    (i) => i % 7 === 0 && i > 9 && i % 5 === 0,
  );
  await page.locator("#field-mode").selectOption("count");
  assert.match(
    (await answered(page)).at(-1),
    new RegExp(`${expected.length} matching lines in ${expected.length} files; 2,000 files searched`),
  );
  for (const pattern of ["n", "ne", "nee", "need", "needle"])
    await page.locator("#field-pattern").fill(pattern);
  assert.match((await answered(page)).at(-1), /286 matching lines in 286 files/);
  console.log(`2,000 files: ${await page.locator("#lab-said").textContent()}`);
  await tool(page, "find_files");
  assert.deepEqual(await ask(page, { fuzzy: "p7f1987" }), lines(await local.findFiles({ fuzzy: "p7f1987" })));
  await tool(page, "ast_search");
  const query = { pattern: "needle($A, $B)", language: "typescript" };
  assert.deepEqual(await ask(page, query), lines(await local.astSearch(query)));
  console.log(`2,000 files, by syntax: ${await page.locator("#lab-said").textContent()}`);
  const rewrite = { ...query, rewrite: "found($B, $A)" };
  assert.deepEqual(await ask(page, rewrite), lines(await local.rewrite(rewrite)));
  assert.ok((await page.locator("#lab-answer .added").count()) > 10);
  await tool(page, "code_diagnostics");
  assert.deepEqual(await answered(page), lines(await local.diagnostics({})));
});

test("a picked folder and a dropped one are opened, a dropped file is refused in words", async () => {
  const page = await site.page("#view=lab");
  await answered(page);
  await page.evaluate(async () => {
    const all = await navigator.storage.getDirectory();
    const root = await all.getDirectoryHandle("picked", { create: true });
    const file = await (await root.getFileHandle("picked.rs", { create: true })).createWritable();
    await file.write("fn picked() {}\n");
    await file.close();
    window.showDirectoryPicker = () => root;
  });
  await page.locator("#lab-open").click();
  await page.locator("#lab-name", { hasText: "picked" }).waitFor();
  assert.deepEqual((await ask(page, { pattern: "picked" })).slice(0, 2), ["picked.rs", "1: fn picked() {}"]);
  const client = await page.context().newCDPSession(page);
  const drop = async (path) => {
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await client.send("Input.dispatchDragEvent", { type, x: 600, y: 400, data });
    }
  };
  await drop(join(folder, "part0/file0.ts"));
  await page.locator("#lab-trouble", { hasText: "Drop a folder, not a file." }).waitFor();
  await drop(folder);
  await page.locator("#lab-name", { hasText: "project" }).waitFor();
  assert.ok(await page.locator("#lab-trouble").isHidden());
  await page.evaluate(() => {
    window.showDirectoryPicker = () => Promise.reject(new DOMException("", "SecurityError"));
  });
  await page.locator("#lab-open").click();
  await page.locator("#lab-trouble", { hasText: "Drop one on the page instead." }).waitFor();
});

test("matches are lit in the text and in the tree, and a place leads from one to the other", async () => {
  const page = await site.page("#view=lab&tool=ast_search&pattern=Some(%24A)&globs=src%2Fmission%2F**");
  const match = page.locator("#lab-nodes .match");
  await match.first().waitFor();
  await answered(page);
  await drawn(page);
  const lit = await page.evaluate(() => [...CSS.highlights.get("lab-match")].map(String));
  assert.equal(lit.length, await match.count());
  for (const text of lit) assert.match(text, /^Some\(/);
  assert.match(await page.locator("#lab-shape").textContent(), new RegExp(`^rust · .* ${lit.length} match`));
  await match.first().click();
  assert.deepEqual(await page.evaluate(() => [...CSS.highlights.get("lab-node")].map(String)), [lit[0]]);
  await page.locator("#lab-answer button:not(.file)").nth(2).click();
  await drawn(page);
  assert.ok(
    await page.locator("#lab-nodes .here").evaluate((element) => {
      const holder = element.closest(".scroll").getBoundingClientRect();
      const { top } = element.getBoundingClientRect();
      return top >= holder.top && top < holder.bottom;
    }),
  );
});

test("what is wrong is told in words, and the next question is answered", async () => {
  const page = await site.page("#view=lab");
  await answered(page);
  await page.locator("#field-pattern").fill("fn (");
  await page.locator("#lab-said.wrong", { hasText: "The pattern is no regular expression" }).waitFor();
  assert.equal(await page.locator("#field-pattern").getAttribute("aria-invalid"), "true");
  await page.locator("#field-pattern").fill("");
  await page.locator("#lab-said", { hasText: "Type something" }).waitFor();
  await ask(page, { pattern: "fn " });
  assert.equal(await page.locator("#field-pattern").getAttribute("aria-invalid"), "false");
});

test("every language of the list is one that the modules parse", async () => {
  const page = await site.page("#view=lab&tool=ast_search&pattern=x");
  await page.locator("#field-language").waitFor();
  const languages = await page.locator("#field-language option").allTextContents();
  for (const language of languages) {
    await page.locator("#field-language").selectOption(language);
    await settled(page);
    const said = await page.locator("#lab-said").textContent();
    assert.doesNotMatch(said, /no grammar/, language);
  }
  assert.equal(languages.length, 21);
});

test("a link holds the tool and what was typed", async () => {
  const page = await site.page("#view=lab");
  await answered(page);
  await tool(page, "code_search");
  await ask(page, { pattern: "pub fn", globs: "*.rs", context: "2" });
  await page.locator("#field-word").check();
  const again = await site.page(new URL(page.url()).hash);
  assert.deepEqual(await answered(again), await answered(page));
  assert.equal(await again.locator("#field-context").inputValue(), "2");
  assert.ok(await again.locator("#field-word").isChecked());
  await again.locator("#to-theatre").click();
  assert.ok(await again.locator("#lab").isHidden());
  await again.goBack();
  await answered(again);
  await again.locator("#to-theatre").click();
  await again.keyboard.press("ArrowRight");
  assert.equal(await again.locator("#moment").inputValue(), "1");
});

test("the lab works from the keyboard alone", async () => {
  const page = await site.page();
  const focused = () => page.evaluate("document.activeElement.id || document.activeElement.className");
  const tabTo = async (id) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      if ((await focused()) === id) return;
    }
    assert.fail(`Tab never reaches ${id}`);
  };
  await tabTo("to-lab");
  await page.keyboard.press("Enter");
  await answered(page);
  await tabTo("lab-open");
  await tabTo("tool-code_search");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "tool-ast_search");
  await tabTo("field-pattern");
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("None");
  await answered(page);
  await tabTo("file");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator("#lab-nodes .match").first().waitFor();
  await drawn(page);
  for (let i = 0; (await page.evaluate("document.activeElement.role")) !== "treeitem"; i++) {
    assert.ok(i < 10, "Tab never reaches the tree");
    await page.keyboard.press("Tab");
  }
  const lit = () => page.evaluate(() => [...CSS.highlights.get("lab-node")].map(String)[0]);
  const first = await lit();
  await page.keyboard.press("ArrowUp");
  assert.notEqual(await lit(), first);
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1440, 390]) {
    test(`axe-core finds no violation in the lab: ${colorScheme}, ${width} px`, async () => {
      const page = await site.page("#view=lab", { colorScheme, width });
      for (const id of ["code_search", "find_files", "code_outline", "code_diagnostics", "ast_search"]) {
        await tool(page, id);
        await answered(page);
        if (id === "code_diagnostics") {
          await page.locator("#lab-answer button", { hasText: "invoice.py" }).first().click();
          await page.locator("#lab-nodes .wrong").first().waitFor();
        }
        assert.deepEqual(await violations(page), [], id);
      }
      await page.locator("#field-rewrite").fill("Ok($A)");
      await page.locator("#lab-answer .added").first().waitFor();
      assert.deepEqual(await violations(page), [], "rewrite");
      await page.locator("#field-pattern").fill("");
      assert.deepEqual(await violations(page), [], "nothing typed");
    });
  }
}

test("no width makes the lab scroll sideways, and an answer moves no panel", async () => {
  for (const width of [1440, 768, 390, 320]) {
    const page = await site.page("#view=lab", { width });
    await answered(page);
    const places = () =>
      page.evaluate(
        "[...document.querySelectorAll('#lab .panel')].map((panel) => panel.getBoundingClientRect().top + scrollY)",
      );
    const before = await places();
    for (const pattern of ["fn", "nothing at all", "fn ("]) {
      await page.locator("#field-pattern").fill(pattern);
      await settled(page);
      assert.deepEqual(await places(), before, `${width} px, after ${pattern}`);
    }
    for (const id of ["find_files", "ast_search", "code_outline", "code_diagnostics"]) {
      await tool(page, id);
      await answered(page);
      assert.ok(
        await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
        `${width} px, ${id}`,
      );
    }
  }
});

test("its files are loaded when it is first looked at, and it opens again without a network", async () => {
  const alone = await open();
  after(() => alone.close());
  const page = await alone.page();
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname.slice(1)));
  await page.reload();
  await page.locator("html[data-ready]").waitFor({ state: "attached" });
  assert.deepEqual(
    asked.filter((name) => LAB_FILES.test(name)),
    [],
  );
  await page.evaluate("navigator.serviceWorker.ready");
  await page.locator("#to-lab").click();
  await answered(page);
  await tool(page, "ast_search");
  await answered(page);
  assert.ok(asked.some((name) => LAB_FILES.test(name)));
  const kept = () =>
    page.evaluate(async () => {
      const all = await Promise.all(
        (await caches.keys()).map(async (name) => (await caches.open(name)).keys()),
      );
      return all.flat().map(({ url }) => new URL(url).pathname.slice(1));
    });
  const needed = [
    /^lab-.*\.js$/,
    /^chunk-/,
    /^sample/,
    /^code-browser-worker/,
    /^search\.wasm$/,
    /^search\.data/,
    /^syntax\.wasm$/,
    /^syntax\.data$/,
  ];
  const lacks = async (names) => needed.some((pattern) => !names.some((name) => pattern.test(name)));
  for (let tries = 0; await lacks(await kept()); tries++) {
    assert.ok(tries < 200, `kept are only ${await kept()}`);
    await page.waitForTimeout(50);
  }
  alone.unplug();
  await page.reload();
  await answered(page);
  await tool(page, "code_search");
  assert.match((await ask(page, { pattern: "impl" })).at(-1), /matching lines/);
  // what was never loaded is missed in words
  await tool(page, "ast_search");
  await page.locator("#field-language").selectOption("bash");
  await page
    .locator("#lab-said.wrong", { hasText: "syntax-more.wasm.gz could not be loaded (is there a network?)" })
    .waitFor();
  alone.checkQuiet([/ERR_CONNECTION_REFUSED/]);
});

test("nothing was said to the console and nothing asked of another host", () => site.checkQuiet());
