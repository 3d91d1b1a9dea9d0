// Journals of missions that the real OpenCode has just carried out, opened in the flight recorder.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { stage } from "../e2e/lib.mjs";
import { steps, stuck } from "../model/scripts.mjs";
import { open, violations } from "./browser.mjs";

let it, site, page;
before(async () => {
  it = await stage({ options: { completion: { command: "true" } } });
  site = await open();
  page = await site.page();
});
after(async () => {
  await site?.close();
  await it?.close();
});

/** The file of a mission that has ended. */
async function journalOf(mission) {
  const paths = await readdir(join(it.box.dir, "home"), { recursive: true });
  for (const path of paths.filter((path) => path.endsWith(".ndjson"))) {
    const file = join(it.box.dir, "home", path);
    const head = (await readFile(file, "utf8")).split("\n")[0];
    if (head.includes(mission.id)) return file;
  }
  return assert.fail("the mission left no journal");
}

for (const [name, script, rules] of [
  ["is completed", steps(3), ["progress"]],
  ["goes in circles", stuck(), ["pivot", "stagnant"]],
]) {
  test(`a real mission that ${name} is scrubbed from its journal to the end that OpenCode saw`, async () => {
    const mission = await it.mission(script);
    const verdict = await mission.verdict();
    const file = await journalOf(mission);
    await page.locator("#file").setInputFiles(file);
    await page.locator("#about", { hasText: "Recording: " }).waitFor();
    const total = (await readFile(file, "utf8")).trim().split("\n").length - 1;
    assert.ok(total > 10, `${total} events`);
    assert.equal(await page.locator("#of").textContent(), `of ${total}`);

    await page.locator("#scrub").focus();
    await page.keyboard.press("End");
    const phase = await page.locator("#phase").textContent();
    assert.equal(phase.toLowerCase(), verdict.toLowerCase());
    const real = await it.client.todos(mission.id);
    const shown = await page.locator("#todos .what").allTextContents();
    assert.deepEqual(
      shown,
      real.map(({ content }) => content),
    );
    assert.equal(
      await page.locator("#todos .completed").count(),
      real.filter(({ status }) => status === "completed").length,
    );
    assert.ok(await page.locator("#differences-none").isVisible(), "today's rules decide the same");
    const said = await page.locator("#why-panel").textContent();
    for (const rule of rules) assert.match(said, new RegExp(rule));
    assert.equal(await page.locator(".leaked").count(), 0);

    // each moment is the same from both sides
    const sides = await page.evaluate((last) => {
      const moments = Array.from({ length: last + 1 }, (_, n) => n);
      const straight = moments.map((n) => theatre.text(n));
      const back = moments.map((n) => theatre.text(last - n)).reverse();
      return { differ: moments.filter((n) => straight[n] !== back[n]), distinct: new Set(straight).size };
    }, total);
    assert.deepEqual(sides, { differ: [], distinct: total + 1 });
    await page.keyboard.press("Home");
    assert.equal(await page.locator("#moment").inputValue(), "0");
    assert.deepEqual(await violations(page), []);
  });
}

test("nothing was said to the console and nothing asked of another host", () => site.checkQuiet());
