// Brings a machine that has Node, npm, git and rustup's cargo to where the project builds, starts or tests.
// Usage: node tools/setup.mjs [--for build|start|test]
// Installs only what is missing, says what it installs, and does nothing the second time. The command line
// tools of wasm go to .tools/ (ignored by git); system packages only for `test` and where the C linker is missing.
import { existsSync, rmSync } from "node:fs";
import { at, output, read, run, runAsProgram, seconds, Stop, which } from "./lib.mjs";

const MIN_NODE = [20, 10];
const WASM_PACK = "0.15.1";
// Each system program, the names it may have, and Debian's package for it.
const LINKER = { any: ["cc"], package: "build-essential" };
// The grammars are C code, compiled for wasm: see tools/wasm-cc.
const WASM_C = [
  { any: ["clang"], package: "clang" },
  { any: ["llvm-ar"], package: "llvm" },
];
const TEST_PROGRAMS = [
  { any: ["chromium", "chromium-browser", "google-chrome"], package: "chromium" },
  { any: ["chromedriver"], package: "chromium-driver" },
  { any: ["tmux"], package: "tmux" },
  { any: ["rg"], package: "ripgrep" },
  // for its library's sources, which the AST search is compared on
  { any: ["python3"], package: "python3" },
];

/** Makes the machine ready for `purpose`: "build", "start" or "test". */
export async function setup(purpose) {
  const start = performance.now();
  checkNode();
  checkCargo();
  const programs = [LINKER, ...WASM_C];
  await systemPrograms(purpose === "test" ? [...programs, ...TEST_PROGRAMS] : programs);
  checkClang();
  await wasmTarget();
  if (purpose === "test") await rustComponents();
  await wasmTools();
  await npmPackages();
  console.log(`setup: ready to ${purpose} (${seconds(start)})`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])) {
    throw new Stop(`Node ${MIN_NODE.join(".")} or newer is needed; this is ${process.versions.node}`);
  }
}

function checkCargo() {
  if (output("cargo", "--version") === undefined) {
    throw new Stop(
      "Rust is missing (no `cargo`): install it with rustup (https://rustup.rs), then run this again",
    );
  }
}

async function systemPrograms(programs) {
  const missing = programs.filter(({ any }) => !any.some(which)).map((program) => program.package);
  if (missing.length === 0) return;
  const root = process.getuid?.() === 0;
  const sudo = !root && output("sudo", "-n", "true") !== undefined;
  if (!which("apt-get") || !(root || sudo)) {
    throw new Stop(
      `system packages are missing, and need an administrator: apt-get install ${missing.join(" ")}`,
    );
  }
  console.log(`setup: installing with apt-get: ${missing.join(" ")}`);
  const apt = (...args) => {
    const command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", ...args];
    const [program, ...rest] = root ? command : ["sudo", "-n", ...command];
    return run(program, rest, { check: false });
  };
  const install = () => apt("install", "-y", "--no-install-recommends", ...missing);
  // The package lists of a new machine are empty or old: refresh them only when the first try shows it.
  if ((await install()).code === 0) return;
  await apt("update");
  if ((await install()).code !== 0) throw new Stop(`apt-get could not install: ${missing.join(" ")}`);
}

/** Some systems' own clang can't compile for wasm. */
function checkClang() {
  const clang = process.env.WASM_CLANG ?? "clang";
  if (/\bwasm32\b/.test(output(clang, "--print-targets") ?? "")) return;
  throw new Stop(
    `${clang} can't compile for wasm32: install LLVM's own clang, and name it in the variable WASM_CLANG`,
  );
}

async function wasmTarget() {
  const target = "wasm32-unknown-unknown";
  const dir = output("rustc", "--print", "target-libdir", "--target", target);
  if (dir !== undefined && existsSync(dir)) return;
  if (!which("rustup"))
    throw new Stop(`Rust's target ${target} is missing, and there is no rustup to add it with`);
  console.log(`setup: installing Rust's target ${target}`);
  await run("rustup", ["target", "add", target]);
}

async function rustComponents() {
  const missing = ["fmt", "clippy"].filter((name) => output("cargo", name, "--version") === undefined);
  if (missing.length === 0) return;
  const components = missing.map((name) => (name === "fmt" ? "rustfmt" : name));
  if (!which("rustup")) throw new Stop(`missing from this Rust: ${components.join(", ")}`);
  console.log(`setup: installing ${components.join(", ")}`);
  await run("rustup", ["component", "add", ...components]);
}

/** The CLI must be of exactly the version of the crate, which Cargo.toml pins. */
function wasmBindgenVersion() {
  const pinned =
    (existsSync(at("Cargo.lock")) && /name = "wasm-bindgen"\nversion = "([^"]+)"/.exec(read("Cargo.lock"))) ||
    /^wasm-bindgen = "=([^"]+)"/m.exec(read("Cargo.toml"));
  if (!pinned) throw new Stop('Cargo.toml does not pin wasm-bindgen (`wasm-bindgen = "=x.y.z"`)');
  return pinned[1];
}

async function wasmTools() {
  const bindgen = wasmBindgenVersion();
  const missing = [];
  if (output("wasm-pack", "--version") !== `wasm-pack ${WASM_PACK}`) missing.push(`wasm-pack@${WASM_PACK}`);
  if (
    output("wasm-bindgen", "--version") !== `wasm-bindgen ${bindgen}` ||
    !which("wasm-bindgen-test-runner")
  ) {
    missing.push(`wasm-bindgen-cli@${bindgen}`);
  }
  if (missing.length === 0) return;
  console.log(`setup: compiling ${missing.join(" and ")} into .tools/ (once; several minutes)`);
  // Not --locked: the lock file that wasm-bindgen-cli ships names a crate version that registries may lack.
  // One build folder for both, and little optimisation: they run for milliseconds and are compiled for minutes.
  await run("cargo", ["install", "--quiet", "--force", "--root", at(".tools"), ...missing], {
    env: { CARGO_TARGET_DIR: at(".tools", "build"), CARGO_PROFILE_RELEASE_OPT_LEVEL: "1" },
    name: `cargo install ${missing.join(" ")}`,
  });
  rmSync(at(".tools", "build"), { recursive: true, force: true });
}

async function npmPackages() {
  if (npmPackagesAreCurrent()) return;
  console.log("setup: installing the npm packages of package-lock.json");
  // Not `npm ci`: it refuses a lock file without opencode's builds for other systems, which some registries
  // do not serve. `install --no-save` takes the locked versions all the same and changes neither file.
  // No install scripts: nothing here needs them (see opencode-bin.mjs).
  await run("npm", [
    "install",
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
}

function npmPackagesAreCurrent() {
  const installed = "node_modules/.package-lock.json";
  if (!existsSync(at(installed))) return false;
  const have = JSON.parse(read(installed)).packages;
  const want = JSON.parse(read("package-lock.json")).packages;
  return Object.entries(want).every(
    ([path, { version, optional }]) =>
      path === "" || (have[path] ? have[path].version === version : optional === true),
  );
}

await runAsProgram(import.meta, async (args) => {
  const purpose = args[0] === "--for" ? args[1] : "build";
  if (!["build", "start", "test"].includes(purpose)) {
    throw new Stop("usage: node tools/setup.mjs [--for build|start|test]");
  }
  await setup(purpose);
});
