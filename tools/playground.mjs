// Serves the playground (www/dist) on loopback and prints its address. Any static file host does as well.
// Usage: node tools/playground.mjs [--port n]
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { build, buildPlayground } from "./build.mjs";
import { at, runAsProgram, Stop } from "./lib.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** Serves the built playground below `base` ("/", or "/some/path/"); gives its address and how to stop. `folder`: another. */
export function serve({ base = "/", port = 0, folder = "www/dist" } = {}) {
  const server = createServer(({ method, url }, response) => {
    const path = new URL(url, "http://localhost").pathname;
    const name = path === base ? "index.html" : path.slice(base.length);
    const file = at(folder, name);
    // a flat folder: a name with a slash is none of its files
    const found =
      path.startsWith(base) && /^[\w.-]+$/.test(name) && statSync(file, { throwIfNoEntry: false });
    if (method !== "GET" || !found || !found.isFile()) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
      return;
    }
    response.writeHead(200, {
      "content-type": TYPES[extname(name)] ?? "application/octet-stream",
      "content-length": found.size,
      "cache-control": "no-cache",
    });
    createReadStream(file).pipe(response);
  });
  return new Promise((done, fail) => {
    server.once("error", (error) => fail(new Stop(`the playground can't be served: ${error.message}`)));
    server.listen(port, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${server.address().port}${base}`;
      done({ url, close: () => server.close() && server.closeAllConnections() });
    });
  });
}

await runAsProgram(import.meta, async (args) => {
  const port = args[0] === "--port" ? Number(args[1]) : args.length === 0 ? 0 : NaN;
  if (!Number.isInteger(port)) throw new Stop("usage: node tools/playground.mjs [--port n]");
  await build(); // the code lab has the package's modules
  await buildPlayground();
  const { url } = await serve({ port });
  console.log(`\nThe playground: ${url}\nCtrl+C ends it.`);
});
