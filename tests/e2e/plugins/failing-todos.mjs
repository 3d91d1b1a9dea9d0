// Our plugin on an OpenCode whose todo list can't be read the first `reads` times. `package` is the plugin's own address.
const server = async (input, { package: address, reads, ...options }) => {
  const { default: plugin } = await import(address);
  let left = reads;
  const client = Object.create(input.client);
  client.session = Object.create(input.client.session);
  client.session.todo = (request) => {
    left -= 1;
    return left < 0
      ? input.client.session.todo(request)
      : Promise.reject(new Error("the database is locked"));
  };
  return plugin.server({ ...input, client }, options);
};
export default { id: "e2e-failing-todos", server };
