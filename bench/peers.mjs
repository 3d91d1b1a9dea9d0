// The peers that figures are compared with. They are no dependencies: npm fetches them into target/bench-peers/, once,
// without their install scripts. A peer that can't be had is left out of the report.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { at } from "../tools/lib.mjs";

const DIR = at("target", "bench-peers");

/** @returns {{name: string, root: string, index: string}[]} those that are there */
export function peers() {
  return [
    // imports packages of its own: installed with them. --prefix, because npm would look for a project further up
    peer("opencode-orchestrator", "1.7.22", (spec, dir) =>
      npm(dir, "install", spec, "--prefix", dir, "--ignore-scripts", "--no-package-lock"),
    ),
    // one file that imports zod; the rest of its dependencies is for its other programs
    peer("oh-my-opencode", "4.19.4", (spec, dir) => {
      npm(dir, "install", "zod@4.4.3", "--prefix", dir, "--ignore-scripts", "--no-package-lock");
      npm(dir, "pack", spec);
      const archive = readdirSync(dir).find((name) => name.endsWith(".tgz"));
      const to = `${dir}/node_modules/oh-my-opencode`;
      mkdirSync(to, { recursive: true });
      run("tar", ["xzf", `${dir}/${archive}`, "--strip-components=1", "-C", to], dir);
    }),
  ].filter((found) => found !== undefined);
}

function peer(name, version, fetch) {
  const dir = `${DIR}/${name}-${version}`;
  const root = `${dir}/node_modules/${name}`;
  const found = { name: `${name} ${version}`, root, index: `${root}/dist/index.js` };
  if (existsSync(found.index)) return found;
  try {
    console.error(`bench: fetching ${name} ${version} (once)`);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    writeFileSync(`${dir}/package.json`, "{}");
    fetch(`${name}@${version}`, dir);
    if (!existsSync(found.index)) throw new Error("the package is not what it was");
    return found;
  } catch (error) {
    console.error(`bench: ${name} ${version} can't be fetched and is left out: ${error.message}`);
    rmSync(dir, { recursive: true, force: true });
    return undefined;
  }
}

const npm = (dir, ...args) => run("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], dir);

function run(program, args, cwd) {
  const { status, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (status !== 0)
    throw new Error(`${program} ${args[0]}: ${error?.message ?? stderr.trim().split("\n")[0]}`);
}
