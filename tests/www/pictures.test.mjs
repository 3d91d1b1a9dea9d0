// The pictures of README.md, made from the page itself; and the figures of loading and playing, which decide nothing: a
// machine that does other things at the same time is no reason to fail.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { after, before, test } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { at, filesBelow } from "../../tools/lib.mjs";
import { LAB_FILES, open } from "./browser.mjs";

const MAX_PICTURE_BYTES = 200_000;
const MAX_LOAD_BYTES = 700_000;
const FRAMES = 240;
/** A frame that took longer than one and a half of a 60th of a second came too late for at least one. */
const LATE_MS = 25;

let site;
before(async () => {
  site = await open();
});
after(() => site.close());

const SIZE = { width: 1200, height: 860 };
for (const colorScheme of ["light", "dark"]) {
  test(`the picture of the theatre, ${colorScheme}, is small`, async () => {
    const page = await site.page("#story=storm&at=400", { colorScheme, ...SIZE });
    await take(page, `theatre-${colorScheme}`);
  });

  test(`the picture of the lab, ${colorScheme}, is small`, async () => {
    const page = await site.page("#view=lab&tool=ast_search&pattern=Some(%24A)", { colorScheme, ...SIZE });
    await page.locator("#lab-nodes .match").first().waitFor();
    // how long it took is another number each time
    await page.locator("#lab-said").evaluate((said) => (said.textContent = "Answered in 20 ms."));
    await take(page, `lab-${colorScheme}`);
  });
}

async function take(page, name) {
  const path = at(`www/${name}.png`);
  await page.screenshot({ path });
  assert.ok(statSync(path).size < MAX_PICTURE_BYTES, `${statSync(path).size} bytes`);
}

test("the first load is small", () => {
  const first = filesBelow("www/dist").filter((path) => !LAB_FILES.test(path.split("/").pop()));
  const sizes = first.map((path) => brotliCompressSync(readFileSync(at(path))).length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`first load: ${Math.round(bytes / 1000)} kB with brotli`);
  assert.ok(bytes <= MAX_LOAD_BYTES, `${bytes} bytes`);
});

test("the page is interactive when it says so", async () => {
  const page = await site.page("#story=everything");
  const ready = await page.evaluate("performance.getEntriesByName('ready')[0].startTime");
  console.log(`interactive after ${Math.round(ready)} ms`);
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator("#moment").inputValue(), "1");
});

test("the page draws while it plays", async () => {
  const page = await site.page("#story=everything");
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  };
  const idle = await frames(page);
  const before = await spent();
  await page.locator("#speed").selectOption("200");
  await page.locator("#play").click();
  const playing = await frames(page);
  const cost = (await spent()) - before;
  const told = (times) => {
    const late = times.filter((ms) => ms > LATE_MS).length;
    const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
    return `${(1000 / mean).toFixed(1)} frames a second, ${late} of ${times.length} late`;
  };
  console.log(`playing 200 events a second: ${told(playing)}; the page at rest: ${told(idle)}`);
  console.log(`processor time of a frame while playing: ${(cost / FRAMES).toFixed(1)} ms of 16.7`);
  assert.ok(Number(await page.locator("#moment").inputValue()) > 0);
});

/** The times between so many frames. */
const frames = (page) =>
  page.evaluate(
    (count) =>
      new Promise((done) => {
        const times = [];
        requestAnimationFrame(function frame(now) {
          times.push(now);
          if (times.length <= count) requestAnimationFrame(frame);
          else done(times.slice(1).map((time, i) => time - times[i]));
        });
      }),
    FRAMES,
  );
