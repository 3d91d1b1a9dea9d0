// How long searches of 100,000 files keep OpenCode's own thread from everything else: the longest time between two turns
// of its event loop during each, beside that during a tool that only waits for as long; and the longest that was not
// for want of a processor, which a busy machine has.
// Usage: node bench/blocking.mjs [--rounds 5] [--files 100000]
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ourPlugin, sandbox } from "../tests/e2e/opencode.mjs";
import { startModel, text, tool } from "../tests/model/server.mjs";
import { at } from "../tools/lib.mjs";

const flag = (name, otherwise) => {
  const place = process.argv.indexOf(`--${name}`);
  return place < 0 ? otherwise : Number(process.argv[place + 1]);
};
const ROUNDS = flag("rounds", 5);
const FILES = flag("files", 100_000);
const TRACE = at("target", "bench-blocking.txt");
const LIMIT_MS = 600_000;
const FIRST_WAIT_MS = 500;
const QUERIES = [
  { pattern: "zzz_no_match_zzz" },
  { pattern: "common words", options: { ignore_case: true, limit: 5000 } },
  { pattern: "\\w{5}\\s+\\w{5}\\s+\\w{5}", options: { mode: "count" } },
];

rmSync(TRACE, { force: true });
const model = await startModel();
const plugin = [ourPlugin(), pathToFileURL(at("bench/plugins/ticking.mjs")).href];
// OpenCode's snapshots would take the files in; a path that is asked for is searched all the same
const box = await sandbox({
  model,
  plugin,
  files: { ".gitignore": "/many/\n" },
  env: { BENCH_TRACE: TRACE },
});
try {
  for (let folder = 0; folder < FILES / 100; folder++) {
    const path = join(box.project, "many", String(folder % 40), String(folder));
    mkdirSync(path, { recursive: true });
    for (let i = 0; i < 100; i++) {
      const line = `a line of common words, number ${folder * 100 + i}\n`;
      writeFileSync(join(path, `${i}.txt`), line.repeat(1 + (i % 80)));
    }
  }
  const { client } = await box.serve();
  const calls = Array.from({ length: ROUNDS }, () => QUERIES.map((query) => ["code_search", query])).flat();
  const told = () => {
    const lines = existsSync(TRACE) ? readFileSync(TRACE, "utf8").trim().split("\n") : [];
    return lines.map((line) => JSON.parse(line));
  };
  model.script = ({ messages }) => {
    const done = messages.filter(({ role }) => role === "tool").length;
    // after each search a wait as long as it took; and one before the first, for OpenCode's first tool call is slow
    if (done % 2 === 0 && done / 2 <= calls.length) {
      return tool("wait", { ms: Math.round(told().at(-1)?.ms ?? FIRST_WAIT_MS) });
    }
    const call = calls[(done - 1) / 2];
    if (!call) return text("Done.");
    const [name, args] = call;
    return tool(name, { ...args, options: { ...args.options, path: "many" } });
  };
  const { id } = await client.createSession();
  await client.promptAsync(id, "go");
  await model.waitFor(() => model.turns.some(({ reply }) => reply?.[0]?.content === "Done."), LIMIT_MS);
  const lines = told();
  const ms = (value) => `${value.toFixed(1).padStart(6)} ms`;
  for (const [i, line] of lines.entries()) {
    const isWait = line.tool === "wait";
    const what = isWait ? "only waiting" : JSON.stringify(calls[(i - 1) / 2][1].pattern);
    const turns = `longest turn ${ms(line.longest)}, with a processor ${ms(line.own)}`;
    console.log(`${what.padEnd(30)} ${ms(line.ms)}   ${turns}   ${isWait ? "" : line.end.slice(0, 60)}`);
  }
  for (const [name, what] of [
    ["code_search", "searching"],
    ["wait", "waiting"],
  ]) {
    const own = lines.filter(({ tool: called }) => called === name);
    const worst = (key) => ms(Math.max(...own.map((line) => line[key])));
    console.log(`${what}: longest turn ${worst("longest")}, with a processor ${worst("own")}`);
  }
} finally {
  await box.close();
  await model.close();
}
