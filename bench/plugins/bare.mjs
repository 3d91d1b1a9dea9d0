// The least that can keep a session going: a prompt at idle while a todo is open. The measure for what the whole way
// from a turn's end to the next model request costs in OpenCode itself. Looks after sessions titled "bare" only.
const server = async ({ client }) => {
  const unfinished = new Map();
  return {
    event: async ({ event: { type, properties } }) => {
      const id = properties.sessionID;
      if (type === "session.created" && properties.info.title === "bare")
        unfinished.set(properties.info.id, false);
      if (!unfinished.has(id)) return;
      if (type === "todo.updated") {
        unfinished.set(
          id,
          properties.todos.some(({ status }) => status !== "completed"),
        );
      } else if (type === "session.idle" && unfinished.get(id)) {
        await client.session.promptAsync({
          path: { id },
          body: { parts: [{ type: "text", text: "Go on." }] },
        });
      }
    },
  };
};
export default { id: "bench-bare", server };
