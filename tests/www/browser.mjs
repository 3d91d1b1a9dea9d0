// A Chromium with the playground in it, for the tests: no network but loopback, and no error may go unseen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { at, output, read, which } from "../../tools/lib.mjs";
import { serve } from "../../tools/playground.mjs";

const { args } = JSON.parse(read("webdriver.json"))["goog:chromeOptions"];
const AXE = readFileSync(at("node_modules/axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What only the code lab needs, in www/dist. */
export const LAB_FILES =
  /^(lab-.*|code-browser-worker\.js|sample\.json|(search|syntax).*\.(wasm(\.gz)?|data))$/;

/** Starts the browser and the server; `close` ends both. */
export async function open({ base = "/", folder } = {}) {
  const site = await serve({ base, folder });
  const executablePath = ["chromium", "chromium-browser", "google-chrome"].map(which).find(Boolean);
  const browser = await chromium.launch({
    executablePath,
    args: args.filter((arg) => !arg.startsWith("--headless")),
  });
  const pages = [];
  /** Every error and every foreign request in a page is kept. */
  async function watched({ width = 1440, height = 900, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, ...options });
    const page = await context.newPage();
    const seen = { page, errors: [] };
    pages.push(seen);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) seen.errors.push(message.text());
    });
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("request", (request) => {
      if (!request.url().startsWith(site.url)) seen.errors.push(`asks for ${request.url()}`);
    });
    return page;
  }
  return {
    url: site.url,
    browser,
    /** A page that has started, at `hash`. */
    async page(hash = "", options = {}) {
      const page = await watched(options);
      await page.goto(site.url + hash);
      await started(page);
      return page;
    },
    /** A page without anything in it, of the same origin. */
    async bare() {
      const page = await watched();
      await page.route(`${site.url}empty.html`, (route) =>
        route.fulfill({ contentType: "text/html", body: "<!doctype html><title>empty</title>" }),
      );
      await page.goto(`${site.url}empty.html`);
      return page;
    },
    /** Fails when a page had an error, beside those that were provoked. */
    checkQuiet(provoked = []) {
      for (const { errors } of pages) {
        assert.deepEqual(
          errors.filter((error) => !provoked.some((pattern) => pattern.test(error))),
          [],
        );
      }
    },
    /** The server goes away: no network, and no emulation of that, from which a service worker's requests may be spared. */
    unplug: () => site.close(),
    async close() {
      await browser.close();
      site.close();
    },
  };
}

/** Waits until the page has its module and has drawn a run. */
export const started = (page) => page.locator("html[data-ready]").waitFor({ state: "attached" });

/** Chooses a story with the mouse. */
export async function choose(page, story) {
  await page.locator(`input[name=story][value=${story}]`).check();
  assert.equal(await page.evaluate("theatre.overview().settings.story"), story);
}

/** The violations that axe-core finds, in a line each. */
export async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(TAGS)} })`);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  );
}

/** The stories as they are natively. */
export function nativeStories() {
  const text = output(at("target/debug/examples/stories"));
  assert.ok(text, "the example `stories` is built and runs");
  return text.split("\n").map((line) => JSON.parse(line));
}
