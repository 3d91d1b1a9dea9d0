// Our plugin, whose engine breaks: whenever a todo list with one more finished todo is told, up to `traps` times, all of the
// module's memory is overwritten before the plugin hears of it. `package` is the plugin's own address.
const { Instance } = WebAssembly;
const memories = [];
WebAssembly.Instance = class extends Instance {
  constructor(module, imports) {
    super(module, imports);
    memories.push(this.exports.memory);
  }
};

const server = async (input, { package: address, traps, ...options }) => {
  const { default: plugin } = await import(address);
  const hooks = await plugin.server(input, options);
  const { event } = hooks;
  let done = 0;
  hooks.event = (told) => {
    const { type, properties } = told.event;
    const finished =
      type === "todo.updated" && properties.todos.filter((t) => t.status === "completed").length;
    if (finished > done && done < traps) {
      done = finished;
      new Uint8Array(memories.at(-1).buffer).fill(0xff);
    }
    return event(told);
  };
  return hooks;
};
export default { id: "e2e-trapping", server };
