// A clock in OpenCode's own thread: while a tool runs, the longest time between two turns of the event loop. `wait` is a
// tool that does nothing for a while, to see what else there is. Writes a line of JSON a call to the file named by
// BENCH_TRACE.
import { appendFileSync } from "node:fs";

let running;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  if (running) running.longest = Math.max(running.longest, now - last);
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
    running = { tool, began: performance.now(), longest: 0 };
    last = running.began;
  },
  "tool.execute.after": async (_, { output }) => {
    const { tool, began, longest } = running;
    running = undefined;
    const [end] = String(output).split("\n").slice(-1);
    const told = { tool, ms: performance.now() - began, longest, end };
    appendFileSync(process.env.BENCH_TRACE, `${JSON.stringify(told)}\n`);
  },
});
export default { id: "bench-ticking", server };
