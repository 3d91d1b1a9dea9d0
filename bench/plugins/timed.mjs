// Our plugin with a clock at both of its ends: from the event that ends a turn, as OpenCode hands it over, to our
// continuation as OpenCode gets it. Writes the milliseconds, one a line, to the file named by BENCH_TRACE.
import { appendFileSync } from "node:fs";
import plugin from "../../pkg/index.js";

const server = async (input, options) => {
  let ended = 0;
  const client = Object.create(input.client);
  client.session = Object.create(input.client.session);
  client.session.promptAsync = (request) => {
    const ms = performance.now() - ended;
    setImmediate(() => appendFileSync(process.env.BENCH_TRACE, `${ms}\n`));
    return input.client.session.promptAsync(request);
  };
  const hooks = await plugin.server({ ...input, client }, options);
  const { event } = hooks;
  hooks.event = (told) => {
    const { type, properties } = told.event;
    if (type === "message.updated" && properties.info.finish === "stop") ended = performance.now();
    return event(told);
  };
  return hooks;
};
export default { id: "bench-timed", server };
