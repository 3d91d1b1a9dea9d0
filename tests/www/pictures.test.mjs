// The pictures of README.md, made from the page itself; and the figures of loading and playing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { statSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { at, filesBelow } from "../../tools/lib.mjs";
import { LAB_FILES, open } from "./browser.mjs";

const MAX_PICTURE_BYTES = 150_000;
const MAX_LOAD_BYTES = 700_000;

let site;
before(async () => {
  site = await open();
});
after(() => site.close());

for (const colorScheme of ["light", "dark"]) {
  test(`the picture of the theatre, ${colorScheme}, is small`, async () => {
    const page = await site.page("#story=storm&at=400", { colorScheme, width: 1200, height: 860 });
    const path = at(`www/theatre-${colorScheme}.png`);
    await page.screenshot({ path });
    assert.ok(statSync(path).size < MAX_PICTURE_BYTES, `${statSync(path).size} bytes`);
  });
}

test("the first load is small", () => {
  const first = filesBelow("www/dist").filter((path) => !LAB_FILES.test(path.split("/").pop()));
  const sizes = first.map((path) => brotliCompressSync(readFileSync(at(path))).length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`first load: ${Math.round(bytes / 1000)} kB with brotli`);
  assert.ok(bytes <= MAX_LOAD_BYTES, `${bytes} bytes`);
});

test("the page is interactive soon, and draws while it plays", async () => {
  const page = await site.page("#story=everything");
  const ready = await page.evaluate("performance.getEntriesByName('ready')[0].startTime");
  const frames = await page.evaluate(
    () =>
      new Promise((done) => {
        document.getElementById("speed").value = "200";
        document.getElementById("speed").dispatchEvent(new Event("change"));
        document.getElementById("play").click();
        const times = [];
        requestAnimationFrame(function frame(now) {
          times.push(now);
          if (times.length < 180) requestAnimationFrame(frame);
          else done(times.slice(1).map((time, i) => time - times[i]));
        });
      }),
  );
  const dropped = frames.filter((ms) => ms > 25).length;
  const mean = frames.reduce((sum, ms) => sum + ms, 0) / frames.length;
  console.log(
    `interactive after ${Math.round(ready)} ms; ${(1000 / mean).toFixed(0)} frames a second, ${dropped} of ${frames.length} dropped`,
  );
  // a machine that does other things at the same time is no reason to fail
  assert.ok(ready < 5_000 && mean < 100);
});
