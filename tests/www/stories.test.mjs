// Every story plays to its end in the page, and is there what it is natively, to the byte.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { choose, nativeStories, open } from "./browser.mjs";

let site, page;
before(async () => {
  site = await open();
  page = await site.page();
});
after(() => site.close());

for (const { story, total, outcome, picture } of nativeStories()) {
  test(`${story} plays to its end, and its last state is the native one`, async () => {
    await choose(page, story);
    await page.locator("#speed").selectOption("1000");
    await page.locator("#play").click();
    await page.locator("#play", { hasText: "Again" }).waitFor({ timeout: 20_000 });
    assert.equal(await page.locator("#moment").inputValue(), String(total));
    const shown = (await page.locator("#phase").textContent()).toLowerCase();
    assert.equal(shown, outcome.text.toLowerCase());
    assert.equal(await page.evaluate((moment) => theatre.text(moment), total), picture);
    assert.deepEqual(await page.evaluate("theatre.overview().outcome"), outcome);
    assert.equal(await page.locator("#leaks").textContent(), "no leaks");
    assert.equal(await page.locator(".leaked").count(), 0);
  });

  test(`${story}: a rewind to every tenth event and the way forward give the same states`, async () => {
    const differ = await page.evaluate((last) => {
      const tens = Array.from({ length: Math.ceil(last / 10) }, (_, i) => i * 10);
      const straight = tens.map((moment) => theatre.text(moment));
      const end = theatre.text(last);
      const wrong = tens.filter((moment, i) => {
        const back = theatre.text(moment);
        return back !== straight[i] || theatre.text(last) !== end;
      });
      return { wrong, distinct: new Set(straight).size, tens: tens.length };
    }, total);
    assert.deepEqual(differ, { wrong: [], distinct: differ.tens, tens: differ.tens });
  });
}

test("the roadmap of a finished mission is ticked off", async () => {
  await choose(page, "happy");
  await page.locator("#last").click();
  assert.equal(await page.locator("#todos .completed").count(), 4);
  assert.equal(await page.locator("#done").textContent(), "4 of 4");
});

test("the reason of each decision is shown, and leads to its moment", async () => {
  await choose(page, "stuck");
  await page.locator("#last").click();
  assert.match(await page.locator("#why-now").textContent(), /stagnant.*no progress in 3 turns/s);
  await page.locator("#why-list button", { hasText: "pivot" }).click();
  assert.match(await page.locator("#why-now .rule-name").textContent(), /pivot/);
  assert.match(await page.locator("#why-now").textContent(), /stagnant turns2/);
});

test("nothing was said to the console and nothing asked of another host", () => site.checkQuiet());
