// `npm run bench`: the figures of this project beside those of its peers, measured in the same run. A report, not a
// test: it ends with 0 whatever the figures are, and says which targets are missed.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { at, filesBelow, read, runAsProgram, Stop } from "../tools/lib.mjs";
import { opencodeBin } from "../tools/opencode-bin.mjs";
import { continuations, tokens } from "./loop.mjs";
import { peers } from "./peers.mjs";

const HELP = `npm run bench                           everything, some five minutes
npm run bench -- --only ${"size,load,engine,loop,tokens"}
npm run bench -- --json                 the figures as JSON, on standard output alone
npm run bench -- --quick                fewer repetitions`;

/** @typedef {{figure: string, ours: string, others?: string[], target?: string, met?: boolean}} Row */

const SECTIONS = {
  size: ["Package", measureSize],
  load: ["Start: import, compile, init; a fresh process each time", measureLoad],
  engine: ["Engine: events of a turn's usual mix in a second of processor time", measureEngine],
  loop: ["Continuation: from the end of a turn", measureLoop],
  tokens: [
    "Tokens (characters / 4) in the 20 requests of a ten-turn mission, beyond OpenCode's own",
    measureTokens,
  ],
};

// ---- the sections: each gives rows for people and its figures for programs -------------------------------------

function measureSize({ rivals }) {
  const size = (paths, pack = (bytes) => bytes) =>
    paths.reduce((sum, path) => sum + pack(readFileSync(at(path))).length, 0);
  const all = filesBelow("pkg");
  const lean = all.filter((path) => !basename(path).startsWith("syntax"));
  const measured = (paths) => ({ raw: size(paths), gzip: size(paths, gzipSync) });
  const figures = {
    ...measured(all),
    withoutGrammars: measured(lean),
    peers: Object.fromEntries(rivals.map(({ name, root }) => [name, size(filesBelow(relative(at(), root)))])),
  };
  const others = Object.entries(figures.peers).map(
    ([name, bytes]) => `${name}: ${kb(bytes)} (${times(bytes, figures.raw)}), its dependencies not counted`,
  );
  const shown = ({ raw, gzip }) => `${kb(gzip)} packed, ${kb(raw)} unpacked`;
  const rows = [
    { figure: "pkg/", ours: shown(figures), others },
    {
      figure: "pkg/ without grammars",
      ours: shown(figures.withoutGrammars),
      target: "< 1.5 MB packed",
      met: figures.withoutGrammars.gzip < 1_500_000,
    },
  ];
  return { rows, figures };
}

function measureLoad({ quick, rivals }) {
  const folder = mkdtempSync(join(tmpdir(), "opencode-bench-"));
  const nowhere = "http://127.0.0.1:9"; // a peer that calls home gets no answer
  const env = { PATH: process.env.PATH, HOME: folder, HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere };
  const bun = [opencodeBin(), "run"];
  const ours = at("pkg/index.js");
  // with missions from before, and without
  const used = join(folder, "used");
  const runs = [
    ["used", bun, ours, used, "--start"],
    ["used in Node", [process.execPath], ours, used, "--start"],
    ["new", bun, ours, undefined, "--start"],
    ...rivals.map(({ name, index }) => [name, bun, index, join(folder, name)]),
  ];
  const taken = {};
  try {
    for (let i = 0; i < (quick ? 5 : 21); i += 1) {
      for (const [name, [program, ...first], index, where = join(folder, String(i)), ...start] of runs) {
        mkdirSync(where, { recursive: true });
        const args = [...first, at("bench/load.mjs"), index, where, ...start];
        const result = child(program, args, { ...env, BUN_BE_BUN: "1" });
        if (i > 0 || where !== used) (taken[name] ??= []).push(result); // the first of these has no missions from before
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const medians = (list) =>
    Object.fromEntries(Object.keys(list[0]).map((key) => [key, median(list.map((one) => one[key]))]));
  const figures = Object.fromEntries(Object.entries(taken).map(([name, list]) => [name, medians(list)]));
  const shown = ({ importMs, startMs, readyMs, cpuMs, taskMs }) =>
    `${ms(readyMs)} (import ${ms(importMs)}, hooks there after ${ms(startMs)}; processor ${ms(cpuMs)}); then the first /task: ${ms(taskMs)}`;
  const others = rivals.map(
    ({ name }) =>
      `${name}: import alone ${ms(figures[name].importMs)} (${times(figures[name].importMs, figures.used.readyMs)})`,
  );
  const rows = [
    ["OpenCode's own runtime, missions were started before", "used", others],
    ["Node, the same", "used in Node"],
  ].map(([figure, name, others]) => ({ figure, ours: shown(figures[name]), others }));
  Object.assign(rows[0], { target: "≤ 15 ms", met: figures.used.readyMs <= 15 });
  const { startMs, readyMs } = figures.new;
  rows.push({
    figure: "OpenCode's own runtime, no mission yet",
    ours: `hooks there after ${ms(startMs)}, and nothing more; at the first command ${ms(readyMs - startMs)}`,
  });
  return { rows, figures };
}

function measureEngine({ quick }) {
  const count = String(quick ? 200_000 : 1_000_000);
  const script = [at("bench/engine.mjs"), count];
  const wasm = ["true", "false"].flatMap((journal) => [
    child(process.execPath, [...script, journal], process.env),
    child(opencodeBin(), ["run", ...script, journal], { ...process.env, BUN_BE_BUN: "1" }),
  ]);
  const cargo = ["run", "--quiet", "--release", "--example", "engine_bench", "--", count];
  const native = childLines("cargo", cargo, process.env);
  const row = (one, target) => ({
    figure: `${one.runtime}, journal ${one.journal ? "on" : "off"}`,
    ours: `${thousands(one.eventsPerCpuSecond)} (by the clock, beside what else ran: ${thousands(one.eventsPerSecond)})`,
    target: `≥ ${thousands(target)}`,
    met: one.eventsPerCpuSecond >= target,
  });
  const growth = Math.max(...wasm.map((one) => one.wasmMemoryGrowthBytes));
  const rows = [
    ...native.map((one) => row(one, 1_000_000)),
    ...wasm.map((one) => row(one, 300_000)),
    {
      figure: `memory of the module, growth over ${thousands(Number(count))} events`,
      ours: `${kb(growth)} (to ${kb(Math.max(...wasm.map((one) => one.wasmMemoryBytes)))})`,
      target: "none",
      met: growth === 0,
    },
  ];
  return { rows, figures: { native, wasm } };
}

async function measureLoop({ quick, rivals, outside }) {
  const [peer] = rivals.filter(({ name }) => name.startsWith("opencode-orchestrator"));
  const { gaps, own, outside: tried } = await continuations({ rounds: quick ? 3 : 8, peer });
  note(outside, tried);
  const all = (name) => median(gaps[name].flat());
  // round by round: what else the machine does changes from one to the next
  const ratios = gaps.ours.map((list, round) => median(list) / median(gaps.bare[round]));
  const figures = {
    ownMs: median(own),
    ownP90Ms: quantile(own, 0.9),
    oursMs: all("ours"),
    bareMs: all("bare"),
    peerMs: peer && all("peer"),
    ratio: median(ratios),
    ratios,
    samples: { own: own.length, ours: gaps.ours.flat().length, bare: gaps.bare.flat().length },
    rounds: gaps,
  };
  const against = (name, value) => `${name}: ${ms(value)} (${times(value, figures.oursMs)})`;
  const rows = [
    {
      figure: "to our prompt in OpenCode's hands",
      ours: `${ms(figures.ownMs)} (9 of 10 within ${ms(figures.ownP90Ms)})`,
      target: "< 2 ms",
      met: figures.ownMs < 2,
    },
    {
      figure: "to the next model request",
      ours: `${ms(figures.oursMs)} (× ${figures.ratio.toFixed(2)} the bare one; rounds ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
      others: [
        against("a bare prompt at idle", figures.bareMs),
        ...(peer ? [against(peer.name, figures.peerMs)] : []),
      ],
      target: "no slower than the bare one, ± 5 %",
      met: figures.ratio <= 1.05,
    },
  ];
  return { rows, figures };
}

async function measureTokens({ rivals, outside }) {
  const [peer] = rivals.filter(({ name }) => name.startsWith("opencode-orchestrator"));
  const { outside: tried, ...figures } = await tokens({ peer });
  note(outside, tried);
  const parts = ({ total, tools, system, messages }) =>
    `${est(total)} (tools ${est(tools)}, system ${est(system)}, messages ${est(messages)})`;
  const share = peer && figures.ours.total / figures.peer.total;
  const rows = [
    {
      figure: "schemas, system text, injected text",
      ours: parts(figures.ours),
      ...(peer && {
        others: [`${peer.name}: ${parts(figures.peer)} (${times(figures.peer.total, figures.ours.total)})`],
        target: "≤ half of it",
        met: share <= 0.5,
      }),
    },
    {
      figure: "all in all, against OpenCode's agent",
      ours: `${figures.net.total > 0 ? "+" : "−"}${est(Math.abs(figures.net.total))}`,
    },
  ];
  return { rows, figures };
}

// ---- tools -----------------------------------------------------------------------------------------------------

const child = (...how) => childLines(...how).at(-1);

/** The JSON lines that a program prints. */
function childLines(program, args, env) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: at(), env, encoding: "utf8" });
  if (status !== 0) throw new Stop(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

function note(outside, tried) {
  for (const [name, list] of Object.entries(tried)) (outside[name] ??= []).push(...list);
}

function quantile(list, part) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)];
}
const median = (list) => quantile(list, 0.5);
const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const kb = (bytes) => (bytes < 2e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const times = (value, base) => `× ${(value / base).toFixed(1)}`;
const thousands = (value) => Math.round(value).toLocaleString("en");
const est = (characters) => thousands(characters / 4);

function machine() {
  const [{ model }] = cpus();
  const opencode = spawnSync(opencodeBin(), ["--version"], { encoding: "utf8" }).stdout.trim();
  const { version } = JSON.parse(read("package.json"));
  return {
    version,
    opencode,
    node: process.versions.node,
    cpu: model.trim(),
    cores: cpus().length,
    load: loadavg()[0],
  };
}

function print({ rows }) {
  for (const { figure, ours, others = [], target, met } of rows) {
    const verdict = target ? `${met ? "met" : "MISSED"} (${target})` : "";
    console.log(`  ${figure.padEnd(48)} ${verdict}`);
    console.log(`      ours: ${ours}`);
    for (const other of others) console.log(`      ${other}`);
  }
}

await runAsProgram(import.meta, async (args) => {
  if (args.includes("--help")) return console.log(HELP);
  const json = args.includes("--json");
  const only = args.includes("--only")
    ? (args[args.indexOf("--only") + 1] ?? "").split(",")
    : Object.keys(SECTIONS);
  const unknown = only.find((name) => !(name in SECTIONS));
  if (unknown !== undefined) throw new Stop(`unknown: ${unknown}\n\n${HELP}`);

  const about = machine();
  const settings = { quick: args.includes("--quick"), rivals: peers(), outside: {} };
  const report = { ...about, figures: {} };
  const missed = [];
  if (!json)
    console.log(
      `OpenCode Orchestrator ${about.version}, OpenCode ${about.opencode}, Node ${about.node}, ${about.cores} × ${about.cpu}, load ${about.load.toFixed(1)}. Medians.`,
    );
  for (const name of only) {
    const [title, measure] = SECTIONS[name];
    const section = await measure(settings);
    report.figures[name] = section.figures;
    missed.push(
      ...section.rows.filter(({ target, met }) => target && !met).map(({ figure }) => `${name}: ${figure}`),
    );
    if (!json) console.log(`\n${title}`);
    if (!json) print(section);
  }
  report.outside = settings.outside;
  report.missed = missed;
  report.loadAtEnd = loadavg()[0];
  if (json) return console.log(JSON.stringify(report, null, 2));
  if (settings.outside.ours) {
    const count = (list) => `${list.length} attempts`;
    console.log("\nConnections to the outside in these runs");
    for (const [name, list] of Object.entries(settings.outside)) console.log(`  ${name}: ${count(list)}`);
  }
  console.log(
    `\n${missed.length === 0 ? "Every target is met." : `Missed: ${missed.join("; ")}`} Load at the end: ${report.loadAtEnd.toFixed(1)}.`,
  );
});
