// Runs every check of the project, stage by stage, and stops at the first that fails.
// Usage: node tools/test.mjs [--only name,name]      (the names are those of STAGES below)
// A stage that counts tests fails when it counted none: a wasm suite that is not configured for its runtime is
// skipped with exit code 0, and so is a renamed file. The last line is "N passed, N failed".
import { rmSync } from "node:fs";
import { build, buildPlayground, bundle, CODE_ENV, optLevelArgs, SMALLEST, VECTORS_ENV } from "./build.mjs";
import { at, filesBelow, run, runAsProgram, seconds, Stop, which } from "./lib.mjs";
import { setup } from "./setup.mjs";

// Natively the grammars are compiled only as far as tests need them.
const NATIVE = ["--features", "sim,search,syntax-test"];
const CLIPPY = ["--", "-D", "warnings"];
const WASM_TEST = ["--release", "--mode", "no-install"];

// Each stage, in order; one that runs tests returns what they printed.
const STAGES = {
  setup: () => setup("test"),
  async fmt() {
    await run("cargo", ["fmt", "--check"]);
    await run("prettier", ["--check", "--log-level=warn", ...formatted()]);
    await run(process.execPath, ["tools/readme.mjs", "--check"]);
  },
  async lint() {
    await run("cargo", ["clippy", "--all-targets", ...NATIVE, ...CLIPPY]);
    // with the build's own flags and folders, so that the grammars' C code is compiled once for both
    const wasm = ["clippy", "--target", "wasm32-unknown-unknown", "--lib", "--release"];
    const search = [...wasm, "--no-default-features", "--features", "search"];
    await run("cargo", [...search, ...CLIPPY], { env: VECTORS_ENV });
    await run("cargo", [...wasm, "--all-features", ...optLevelArgs(SMALLEST), ...CLIPPY], { env: CODE_ENV });
  },
  native: () => run("cargo", ["test", ...NATIVE]),
  async build() {
    await build();
    await buildPlayground();
  },
  async tsc() {
    await run("tsc", ["--noEmit"]);
    await run("tsc", ["--noEmit", "-p", "www"]);
  },
  host: hostTests,
  // the code tools as a library, with ripgrep and ast-grep as oracles
  async code() {
    const [done] = await Promise.all([nodeTest(testFiles("tests/code")), compileWasmTests()]);
    return done;
  },
  // with the journals that the native tests wrote
  "wasm-node": () =>
    run("wasm-pack", ["test", "--node", ...WASM_TEST, "--", "--test", "node", "--test", "replay"]),
  "wasm-chrome": () =>
    run("wasm-pack", [
      ...["test", "--headless", "--chrome", ...WASM_TEST, "--chromedriver", which("chromedriver")],
      ...["--", "--test", "browser"],
    ]),
  www: playgroundTests,
  e2e: endToEnd,
  // a hundred by hand; alone, for it keeps every core busy
  soak: () => run(process.execPath, ["tests/e2e/soak.mjs", "--times", "3"]),
};
/** What the next two stages run: beside tests that keep one processor busy, a minute less of waiting. */
const compileWasmTests = () =>
  run("cargo", [
    ...["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--tests"],
    ...["--test", "node", "--test", "replay", "--test", "browser"],
  ]);
const COUNTED = ["native", "host", "code", "wasm-node", "wasm-chrome", "www", "e2e"];

/** The playground's tests, in Chromium; they compare with what the same stories are natively. */
async function playgroundTests() {
  await build();
  await buildPlayground();
  await run("cargo", ["build", "--quiet", "--features", "sim", "--example", "stories"]);
  return foreign(testFiles("tests/www"), 1);
}

/** What prettier checks: written by people, so not what Rust generates. */
const formatted = () =>
  ["host", "tests", "tools", "bench", "www/src", "www/index.html", "www/style.css", "www/lab.css"]
    .flatMap(filesBelow)
    .filter((path) => /\.(ts|mjs|js|html|css)$/.test(path) && !path.includes("/generated/"));

/** The host's unit tests: Node 20 can't run TypeScript, so each is bundled first, as the package is. */
async function hostTests() {
  const entryPoints = filesBelow("host").filter((path) => path.endsWith(".test.ts"));
  if (entryPoints.length === 0) throw new Stop("there is no host/**/*.test.ts");
  const out = "target/host-tests";
  rmSync(at(out), { recursive: true, force: true });
  await bundle({
    entryPoints: entryPoints.map((path) => at(path)),
    outdir: at(out),
    outbase: at("host"),
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
  });
  return nodeTest(filesBelow(out));
}

const testFiles = (folder) => filesBelow(folder).filter((path) => path.endsWith(".test.mjs"));

/** The end-to-end tests, two files at a time: they mostly wait. */
async function endToEnd() {
  await run("cargo", ["build", "--quiet", ...NATIVE, "--example", "fidelity"]); // for the comparison with the real OpenCode
  return foreign(testFiles("tests/e2e"), 2);
}

/** Files of tests that failed once. */
const twice = [];

/**
 * Tests in a program that is not ours, `lanes` files at a time: the real OpenCode and the real browser have races of their
 * own. A file that fails is run once more, alone, at the end, which is said; failing again it fails the run.
 */
async function foreign(files, lanes) {
  const texts = [];
  const again = [];
  const waiting = [...files];
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const began = performance.now();
      const { text, code } = await nodeTest([file], { check: false, show: false });
      process.stdout.write(`${text}-- ${file} ${seconds(began)}\n`);
      if (code === 0) texts.push(text);
      else again.push(file);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (again.length > 0) console.log(`\nAGAIN, for they failed: ${again.join(", ")}`);
  twice.push(...again);
  for (const file of again) texts.push((await nodeTest([file])).text);
  return { text: texts.join("\n") };
}

function nodeTest(files, how = {}) {
  const options = ["--test", "--test-concurrency=1", "--test-reporter=spec", "--enable-source-maps"];
  if (files.length === 0) return { text: "" };
  return run(process.execPath, [...options, ...files], { name: "node --test", ...how });
}

/** What test runners print of their totals, added up: cargo, wasm-bindgen-test-runner and node. */
function countTests(text) {
  const plain = text.replace(/\x1b\[[0-9;]*m/g, "");
  const sum = (...patterns) =>
    patterns
      .flatMap((pattern) => [...plain.matchAll(pattern)])
      .reduce((total, match) => total + Number(match[1]), 0);
  return {
    passed: sum(/^test result: .*?(\d+) passed/gm, /^(?:ℹ|#) pass (\d+)$/gm),
    failed: sum(/^test result: .*?(\d+) failed/gm, /^(?:ℹ|#) fail (\d+)$/gm),
  };
}

async function runStages(names) {
  const total = { passed: 0, failed: 0 };
  const summary = [];
  const start = performance.now();
  for (const name of names) {
    console.log(`\n== ${name}`);
    const began = performance.now();
    let error;
    let text = "";
    try {
      text = (await STAGES[name]())?.text ?? "";
    } catch (caught) {
      if (!(caught instanceof Stop)) console.error(caught);
      error = caught;
      text = caught.text ?? "";
    }
    const count = COUNTED.includes(name) ? countTests(text) : undefined;
    if (!error && count && count.passed === 0) error = new Stop("no test ran");
    if (count) {
      total.passed += count.passed;
      total.failed += count.failed;
    }
    summary.push(
      `${name.padEnd(12)} ${seconds(began).padStart(8)}${count ? `  ${count.passed} passed` : ""}`,
    );
    if (!error) console.log(`== ${summary.at(-1)}`);
    else {
      total.failed = Math.max(total.failed, 1);
      console.error(`\nFAILED at ${name} after ${seconds(began)}: ${error.message}`);
      process.exitCode = 1;
      break;
    }
  }
  console.log(`\n${summary.join("\n")}\n${"all".padEnd(12)} ${seconds(start).padStart(8)}`);
  if (twice.length > 0) console.log(`ran twice, for they had failed: ${twice.join(", ")}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
}

await runAsProgram(import.meta, (args) => {
  const only = args[0] === "--only" ? (args[1] ?? "").split(",") : undefined;
  const unknown = only?.find((name) => !(name in STAGES));
  if (unknown !== undefined || (args.length > 0 && !only)) {
    throw new Stop(`usage: node tools/test.mjs [--only ${Object.keys(STAGES).join(",")}]`);
  }
  return runStages(Object.keys(STAGES).filter((name) => !only || only.includes(name)));
});
