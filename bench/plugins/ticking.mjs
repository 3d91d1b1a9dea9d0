// A clock in OpenCode's own thread: while a tool runs, the longest time between two turns of the event loop, and the
// longest without what the thread waited for a processor (Linux tells). `wait` is a tool that does nothing for a while,
// to see what else there is. Writes a line of JSON a call to the file named by BENCH_TRACE.
import { appendFileSync, readFileSync } from "node:fs";

/** Milliseconds that the thread could have run and had no processor, so far. */
function starved() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

let running;
let last = { at: performance.now(), starved: starved() };
setInterval(() => {
  const now = { at: performance.now(), starved: starved() };
  if (running) {
    const turn = now.at - last.at;
    running.longest = Math.max(running.longest, turn);
    running.own = Math.max(running.own, turn - (now.starved - last.starved));
  }
  last = now;
}, 1);

const server = async () => ({
  tool: {
    wait: {
      description: "Waits.",
      args: { ms: { type: "integer" } },
      execute: ({ ms }) => new Promise((resolve) => setTimeout(() => resolve("waited"), ms)),
    },
  },
  "tool.execute.before": async ({ tool }) => {
    running = { tool, began: performance.now(), longest: 0, own: 0 };
    last = { at: running.began, starved: starved() };
  },
  "tool.execute.after": async (_, { output }) => {
    const { tool, began, longest, own } = running;
    running = undefined;
    const [end] = String(output).split("\n").slice(-1);
    const told = { tool, ms: performance.now() - began, longest, own, end };
    appendFileSync(process.env.BENCH_TRACE, `${JSON.stringify(told)}\n`);
  },
});
export default { id: "bench-ticking", server };
