// The page for people: links, keys, names, no network, any path.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { choose, open, started, violations } from "./browser.mjs";

let site;
before(async () => {
  site = await open({ base: "/some/sub-path/" });
});
after(() => site.close());

test("a link opens the same run at the same moment, and a slider changes the link", async () => {
  const page = await site.page("#story=storm&seed=42&capacity=2&at=50");
  assert.deepEqual(await page.evaluate("theatre.overview().settings.seed"), 42);
  assert.equal(await page.locator("#moment").inputValue(), "50");
  assert.equal(await page.locator("#set-capacity").inputValue(), "2");
  const shown = await page.evaluate("theatre.text(50)");
  const again = await site.page(new URL(page.url()).hash);
  assert.equal(await again.evaluate("theatre.text(50)"), shown);
  await page.locator("#set-todos").fill("7");
  assert.match(page.url(), /todos=7/);
  assert.match(page.url(), /seed=42/);
  await page.locator("#reset").click();
  assert.match(page.url(), /#story=storm$/);
});

test("a link that makes no sense opens the first story", async () => {
  const page = await site.page("#story=../../etc&seed=-1&agents=1e9&at=99999999");
  assert.equal(await page.evaluate("theatre.overview().settings.story"), "happy");
  assert.equal(await page.locator("#play").textContent(), "Again");
});

test("everything works from the keyboard alone", async () => {
  const page = await site.page();
  const focused = () => page.evaluate("document.activeElement.id || document.activeElement.value");
  const tabTo = async (id) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      if ((await focused()) === id) return;
    }
    assert.fail(`Tab never reaches ${id}`);
  };
  const moment = () => page.locator("#moment").inputValue();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  assert.equal(await moment(), "11");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await moment(), "10");
  await page.keyboard.press("End");
  assert.equal(await page.locator("#play").textContent(), "Again");
  await page.keyboard.press("Home");
  assert.equal(await moment(), "0");
  await page.keyboard.press("Space");
  assert.equal(await page.locator("#play").textContent(), "Pause");
  await page.keyboard.press("Space");
  assert.equal(await page.locator("#play").textContent(), "Play");
  await tabTo("happy");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate("theatre.overview().settings.story"), "stuck");
  await tabTo("set-todos");
  await page.keyboard.press("ArrowRight");
  assert.match(page.url(), /todos=5/);
  await tabTo("scrub");
  await page.keyboard.press("ArrowRight");
  assert.equal(await moment(), "1");
  await tabTo("last");
  await page.keyboard.press("Enter");
  await page.locator("#why-list button").first().focus();
  await page.keyboard.press("Enter");
  assert.notEqual(await moment(), await page.evaluate("String(theatre.overview().total)"));
});

test("the tour leads through seven stops, one of them in the lab, and gives the focus back", async () => {
  const page = await site.page();
  await page.locator("#tour-start").click();
  for (let stop = 1; stop <= 7; stop++) {
    assert.equal(await page.locator("#tour-step").textContent(), `${stop} of 7`);
    await page.locator(".toured").waitFor();
    assert.equal(await page.locator("#lab").isVisible(), stop === 6);
    if (stop === 1 || stop === 6) assert.deepEqual(await violations(page), []);
    await page.locator("#tour-next").click();
  }
  assert.ok(await page.locator("#tour").isHidden());
  assert.equal(await page.evaluate("document.activeElement.id"), "tour-start");
  await page.locator("#tour-start").click();
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#tour").isHidden());
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1440, 390]) {
    test(`axe-core finds no violation: ${colorScheme}, ${width} px`, async () => {
      const page = await site.page("", { colorScheme, width });
      for (const story of ["happy", "outage", "crash"]) {
        await choose(page, story);
        for (const share of [0.4, 1]) {
          await page.evaluate((share) => {
            const scrub = document.getElementById("scrub");
            scrub.value = String(Math.round(scrub.max * share));
            scrub.dispatchEvent(new Event("input"));
          }, share);
          assert.deepEqual(await violations(page), []);
        }
      }
    });
  }
}

test("no width makes the page scroll sideways, and playing moves no panel", async () => {
  for (const width of [1440, 768, 390, 320]) {
    const page = await site.page("#story=everything", { width });
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), `${width} px`);
    const places = () =>
      page.evaluate(
        "[...document.querySelectorAll('.panel')].map((panel) => panel.getBoundingClientRect().top + scrollY)",
      );
    const before = await places();
    for (const key of ["ArrowRight", "Shift+ArrowRight", "End"]) {
      await page.keyboard.press(key);
      assert.deepEqual(await places(), before, `${width} px, after ${key}`);
    }
  }
});

test("after the first load the page needs no network, and opens again without one", async () => {
  const alone = await open();
  after(() => alone.close());
  const page = await alone.page();
  await page.evaluate("navigator.serviceWorker.ready");
  await page.evaluate(
    () =>
      navigator.serviceWorker.controller ??
      new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done)),
  );
  alone.unplug();
  await choose(page, "storm");
  await page.reload();
  await started(page);
  await page.keyboard.press("End");
  assert.match(await page.locator("#phase").textContent(), /^Complete/);
  alone.checkQuiet([/ERR_CONNECTION_REFUSED/]);
});

test("the theme can be chosen, and stays", async () => {
  const page = await site.page("", { colorScheme: "light" });
  const theme = () => page.evaluate("document.documentElement.dataset.theme");
  assert.equal(await theme(), "light");
  await page.locator("#theme").click();
  await page.locator("#theme").click();
  assert.equal(await theme(), "dark");
  await page.reload();
  assert.equal(await theme(), "dark");
});

test("nothing was said to the console and nothing asked of another host", () => site.checkQuiet());
