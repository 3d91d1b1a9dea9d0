// Runs the real OpenCode in a sandbox of its own: a temporary home, configuration and project, a scripted model,
// and a proxy that refuses and records every attempt to reach the outside. Nothing here sleeps for a fixed time:
// tests wait for events. `sandbox.close()` kills what the sandbox started and removes its files.
import { opencodeBin } from "../../tools/opencode-bin.mjs";
import { spawn, execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const exec = promisify(execFile);

// A test that dies without `close()` must not leave programs behind.
const running = /** @type {Set<import('node:child_process').ChildProcess>} */ (new Set());
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** The OpenCode program: `$OPENCODE_BIN`, else the development dependency. Throws a line that says what to do. */

/** The built plugin as a `plugin` entry of opencode.json, with options if given. */
export const ourPlugin = (options) => {
  const url = pathToFileURL(join(root, "pkg")).href;
  return options === undefined ? url : [url, options];
};

/**
 * @param {object} options
 * @param {{config(): object}} options.model a model made by `startModel`
 * @param {any[]} [options.plugin] `plugin` entries of the project's opencode.json
 * @param {object} [options.config] more of the project's opencode.json
 * @param {object} [options.globalConfig] more of the global opencode.json
 * @param {boolean} [options.git] whether the project is a git repository (default true)
 * @param {Record<string, string>} [options.files] project files to write, path → content
 * @param {Record<string, string>} [options.env] more environment
 */
export async function sandbox({
  model,
  plugin = [],
  config = {},
  globalConfig = {},
  git = true,
  files = {},
  env = {},
}) {
  const bin = opencodeBin();
  const dir = await mkdtemp(join(tmpdir(), "opencode-e2e-"));
  const project = join(dir, "project");
  const home = join(dir, "home");
  const xdg = {
    config: join(home, ".config"),
    data: join(home, ".local/share"),
    state: join(home, ".local/state"),
    cache: join(home, ".cache"),
  };
  const closers = /** @type {(() => any)[]} */ ([]);
  const proxy = await refusingProxy();
  closers.push(proxy.close);

  const environment = {
    PATH: process.env.PATH,
    LANG: "C.UTF-8",
    TERM: "xterm-256color",
    SHELL: "/bin/sh",
    HOME: home,
    TMPDIR: join(dir, "tmp"),
    TMUX_TMPDIR: join(dir, "tmp"),
    XDG_CONFIG_HOME: xdg.config,
    XDG_DATA_HOME: xdg.data,
    XDG_STATE_HOME: xdg.state,
    XDG_CACHE_HOME: xdg.cache,
    OPENCODE_DISABLE_MODELS_FETCH: "1",
    OPENCODE_DISABLE_AUTOUPDATE: "1",
    OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
    OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
    npm_config_fetch_retries: "0",
    npm_config_registry: proxy.url,
    HTTP_PROXY: proxy.url,
    HTTPS_PROXY: proxy.url,
    http_proxy: proxy.url,
    https_proxy: proxy.url,
    NO_PROXY: "127.0.0.1,localhost",
    no_proxy: "127.0.0.1,localhost",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    ...env,
  };

  await mkdir(environment.TMPDIR, { recursive: true });
  await seedConfigDir(join(xdg.config, "opencode"), {
    $schema: "https://opencode.ai/config.json",
    share: "disabled",
    autoupdate: false,
    ...model.config(),
    ...globalConfig,
  });
  await makeProject(project, { plugin, config, git, files });

  /** Makes a project folder; `second` projects get one too. */
  async function makeProject(path, { plugin = [], config = {}, git = true, files = {} } = {}) {
    await mkdir(path, { recursive: true });
    const entries = plugin.length ? { plugin, ...config } : config;
    await writeFile(join(path, "opencode.json"), JSON.stringify(entries, null, 2));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), content);
    }
    if (existsSync(join(path, ".opencode"))) await seedConfigDir(join(path, ".opencode"));
    if (git) {
      execFileSync("git", ["init", "-q"], { cwd: path, env: environment });
      execFileSync("git", ["add", "-A"], { cwd: path, env: environment });
      execFileSync(
        "git",
        ["-c", "user.name=e2e", "-c", "user.email=e2e@localhost", "commit", "-qm", "start", "--allow-empty"],
        { cwd: path, env: environment },
      );
    }
    return path;
  }

  /** Starts the program and collects its output. */
  function start(args, { cwd = project, env: more = {}, stdin = "ignore" } = {}) {
    const child = spawn(bin, args, {
      cwd,
      env: { ...environment, ...more },
      stdio: [/** @type {any} */ (stdin), "pipe", "pipe"],
    });
    const started = Date.now();
    running.add(child);
    const watchers = new Set();
    const out = {
      stdout: "",
      stderr: "",
      lines: /** @type {{at: number, stream: string, text: string}[]} */ ([]),
    };
    for (const stream of /** @type {const} */ (["stdout", "stderr"])) {
      child[stream]?.setEncoding("utf8").on("data", (data) => {
        out[stream] += data;
        out.lines.push({ at: Date.now() - started, stream, text: data });
        watchers.forEach((w) => w());
      });
    }
    const exited = new Promise((done) =>
      child.once("close", (code, signal) => {
        running.delete(child);
        done({
          code,
          signal,
          stdout: out.stdout,
          stderr: out.stderr,
          lines: out.lines,
          ms: Date.now() - started,
        });
        watchers.forEach((w) => w());
      }),
    );
    const kill = (signal = /** @type {NodeJS.Signals} */ ("SIGTERM")) =>
      child.exitCode === null && child.signalCode === null && child.kill(signal);
    const stop = async () => {
      kill("SIGTERM");
      const timer = setTimeout(() => kill("SIGKILL"), 5_000);
      await exited;
      clearTimeout(timer);
    };
    closers.push(stop);
    /** Waits until the output (stdout and stderr together) matches. */
    const waitForOutput = (pattern, timeoutMs = 60_000) =>
      watch(
        watchers,
        () => pattern.exec(out.stdout + out.stderr),
        timeoutMs,
        () => `output ${pattern}; got:\n${out.stdout}\n${out.stderr}`,
      );
    return { pid: child.pid, child, out, exited, kill, stop, waitForOutput };
  }

  /**
   * `opencode serve`. The recorder listens to `/event` before this resolves (unless `listen: false`: then no instance,
   * and no plugin, is loaded yet).
   */
  async function serve({ env: more = {}, listen = true } = {}) {
    const proc = start(["serve", "--port", String(await freePort()), "--hostname", "127.0.0.1"], {
      env: more,
    });
    const [, url] = await proc.waitForOutput(/listening on (http:\/\/[\d.:a-z]+)/);
    const client = makeClient(url, project);
    if (listen) await client.events.open();
    closers.push(() => client.events.close());
    return {
      ...proc,
      url,
      client,
      events: client.events,
      /** A client (and recorder) for another folder on the same server. */
      clientFor: (directory) => {
        const other = makeClient(url, directory);
        closers.push(() => other.events.close());
        return other;
      },
    };
  }

  /** `opencode run …`: `.exited` gives `{code, signal, stdout, stderr, ms}`; it may be killed before. */
  const run = (args, options = {}) => start(["run", ...args], options);

  /** The TUI in a tmux of its own. */
  async function tui(args = [], { columns = 120, rows = 40, env: more = {} } = {}) {
    const socket = `e2e-${process.pid}-${Date.now().toString(36)}`;
    const tmux = async (...rest) =>
      (await exec("tmux", ["-L", socket, ...rest], { env: { ...environment, TMUX: "" }, maxBuffer: 1 << 24 }))
        .stdout;
    const quoted = [bin, ...args].map((a) => `'${a.replaceAll("'", `'\\''`)}'`).join(" ");
    await exec(
      "tmux",
      [
        "-L",
        socket,
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-s",
        "m",
        "-x",
        String(columns),
        "-y",
        String(rows),
        "-c",
        project,
        `exec ${quoted}`,
      ],
      { env: { ...environment, ...more, TMUX: "" } },
    );
    const pid = Number((await tmux("display-message", "-p", "-t", "m", "#{pane_pid}")).trim());
    const stop = async () => {
      await tmux("kill-server").catch(() => {});
      const end = Date.now() + 5_000;
      while (alive(pid)) {
        // it takes its time to leave after the hang-up
        if (Date.now() > end) process.kill(pid, "SIGKILL");
        await new Promise((r) => setTimeout(r, 50));
      }
    };
    closers.push(stop);
    const capture = () => tmux("capture-pane", "-p", "-t", "m").catch(() => "");
    return {
      pid,
      stop,
      capture,
      /** Types text as it is. */
      type: (string) => tmux("send-keys", "-t", "m", "-l", string),
      /** Presses keys by tmux name: 'Enter', 'Escape', 'C-c'. */
      press: (...keys) => tmux("send-keys", "-t", "m", ...keys),
      alive: async () =>
        tmux("has-session", "-t", "m").then(
          () => true,
          () => false,
        ),
      /** Waits until the screen matches a pattern (or a function of the screen is true). */
      async waitForScreen(pattern, timeoutMs = 60_000) {
        const end = Date.now() + timeoutMs;
        for (;;) {
          const screen = await capture();
          if (typeof pattern === "function" ? pattern(screen) : pattern.test(screen)) return screen;
          if (Date.now() > end)
            throw new Error(
              `timed out after ${timeoutMs} ms waiting for ${pattern} on the screen:\n${screen}`,
            );
          await new Promise((r) => setTimeout(r, 100));
        }
      },
    };
  }

  return {
    dir,
    project,
    home,
    xdg,
    env: environment,
    makeProject,
    start,
    serve,
    run,
    tui,
    /** Hosts that were asked for through the proxy: must stay empty. */
    outside: proxy.attempts,
    /** OpenCode's newest log, for the message of a failing test. */
    async log() {
      const found = await exec("sh", [
        "-c",
        `cat ${xdg.data}/opencode/log/*.log 2>/dev/null | tail -c 20000`,
      ]);
      return found.stdout;
    },
    /** Copies the whole sandbox elsewhere (a post-mortem of a failing run). */
    keep: (to) => cp(dir, to, { recursive: true }),
    async close() {
      for (const close of closers.reverse()) await close();
      for (let i = 0; i < 10 && existsSync(dir); i += 1) {
        // a snapshot's git may outlive its server and write once more
        await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
        await new Promise((r) => setTimeout(r, 100));
      }
    },
  };
}

/**
 * A config folder that OpenCode believes to be installed already (it would run npm otherwise, and wait for it).
 * @param {string} path
 * @param {object} [config]
 */
export async function seedConfigDir(path, config) {
  await mkdir(join(path, "node_modules"), { recursive: true });
  await writeFile(join(path, ".gitignore"), "node_modules\npackage.json\npackage-lock.json\n.gitignore\n");
  await writeFile(
    join(path, "package.json"),
    JSON.stringify({ dependencies: { "@opencode-ai/plugin": "*" } }),
  );
  await writeFile(
    join(path, "package-lock.json"),
    JSON.stringify({
      lockfileVersion: 3,
      packages: { "": { dependencies: { "@opencode-ai/plugin": "*" } } },
    }),
  );
  if (config) await writeFile(join(path, "opencode.json"), JSON.stringify(config, null, 2));
}

/** The server's HTTP interface, as far as tests need it. Failures throw, with status and body. */
function makeClient(url, directory) {
  const headers = {
    "content-type": "application/json",
    "x-opencode-directory": encodeURIComponent(directory),
  };
  async function call(method, path, body) {
    const answer = await fetch(url + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const raw = await answer.text();
    if (!answer.ok)
      throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${raw}`), {
        status: answer.status,
        body: raw,
      });
    return raw === "" ? undefined : JSON.parse(raw);
  }
  const asParts = (input) => (typeof input === "string" ? [{ type: "text", text: input }] : input);
  return {
    url,
    directory,
    call,
    events: recorder(url, headers),
    createSession: (body = {}) => call("POST", "/session", body),
    session: (id) => call("GET", `/session/${id}`),
    sessions: () => call("GET", "/session"),
    children: (id) => call("GET", `/session/${id}/children`),
    /** Resolves at the end of the turn. */
    prompt: (id, parts, more = {}) =>
      call("POST", `/session/${id}/message`, { parts: asParts(parts), ...more }),
    /** Resolves as soon as the prompt is accepted. */
    promptAsync: (id, parts, more = {}) =>
      call("POST", `/session/${id}/prompt_async`, { parts: asParts(parts), ...more }),
    /** Resolves at the end of the turn that the command started. */
    command: (id, command, args = "", more = {}) =>
      call("POST", `/session/${id}/command`, { command, arguments: args, ...more }),
    abort: (id) => call("POST", `/session/${id}/abort`),
    messages: (id) => call("GET", `/session/${id}/message`),
    todos: (id) => call("GET", `/session/${id}/todo`),
    status: () => call("GET", "/session/status"),
    deleteSession: (id) => call("DELETE", `/session/${id}`),
    summarize: (id, model = { providerID: "scripted", modelID: "main" }) =>
      call("POST", `/session/${id}/summarize`, model),
    permissions: () => call("GET", "/permission"),
    replyPermission: (id, reply = "once", message) =>
      call("POST", `/permission/${id}/reply`, { reply, message }),
    questions: () => call("GET", "/question"),
    replyQuestion: (id, answers) => call("POST", `/question/${id}/reply`, { answers }),
    rejectQuestion: (id) => call("POST", `/question/${id}/reject`),
    commands: () => call("GET", "/command"),
    agents: () => call("GET", "/agent"),
    dispose: () => call("POST", "/instance/dispose"),
  };
}

/** Records `/event` from `open()` on. Each event has `at`, the time it arrived. */
function recorder(url, headers) {
  const list = /** @type {{type: string, properties: any, at: number}[]} */ ([]);
  const watchers = new Set();
  let abort = new AbortController();
  async function pump(body) {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of body) {
      rest += decoder.decode(chunk, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = block
          .split("\n")
          .filter((l) => l.startsWith("data:"))
          .map((l) => l.slice(5).trim())
          .join("\n");
        if (data) list.push({ ...JSON.parse(data), at: Date.now() });
      }
      watchers.forEach((w) => w());
    }
  }
  return {
    list,
    async open() {
      abort = new AbortController();
      const answer = await fetch(`${url}/event`, { headers, signal: abort.signal });
      pump(answer.body).catch(() => {});
      await this.waitFor((e) => e.type === "server.connected");
    },
    close: () => abort.abort(),
    /** How many events there are: a mark to wait from. */
    get mark() {
      return list.length;
    },
    of: (type, session) => list.filter((e) => e.type === type && (!session || sessionOf(e) === session)),
    /** The first event after `from` for which the test holds. */
    waitFor: (test, timeoutMs = 60_000, from = 0) =>
      watch(
        watchers,
        () => list.slice(from).find(test),
        timeoutMs,
        () =>
          `an event; last ones:\n${list
            .slice(-15)
            .map((e) => `${e.type} ${JSON.stringify(e.properties).slice(0, 200)}`)
            .join("\n")}`,
      ),
    /** The end of the session's turn. */
    idle(session, from = 0, timeoutMs = 60_000) {
      return this.waitFor((e) => e.type === "session.idle" && sessionOf(e) === session, timeoutMs, from);
    },
  };
}

const sessionOf = (event) =>
  event.properties?.sessionID ?? event.properties?.info?.sessionID ?? event.properties?.part?.sessionID;

/** Resolves with the first truthy `check()`, looked at now and at each notification. */
function watch(watchers, check, timeoutMs, what) {
  return new Promise((done, fail) => {
    const stop = () => {
      watchers.delete(look);
      clearTimeout(timer);
    };
    const look = () => {
      const hit = check();
      if (hit) {
        stop();
        done(hit);
      }
    };
    const timer = setTimeout(() => {
      stop();
      fail(new Error(`timed out after ${timeoutMs} ms waiting for ${what()}`));
    }, timeoutMs);
    watchers.add(look);
    look();
  });
}

/** OpenCode takes port 4096 when asked for port 0, so a free one is looked up here. */
async function freePort() {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {any} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** A proxy that lets nothing through and remembers who was asked for. */
async function refusingProxy() {
  const attempts = /** @type {string[]} */ ([]);
  const server = createServer((req, res) => {
    attempts.push(`${req.method} ${req.url}`);
    res.writeHead(403).end();
  });
  server.on("connect", (req, socket) => {
    attempts.push(`CONNECT ${req.url}`);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    attempts,
    url: `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Whether some process holds this pid; one that has ended and that nobody waits for does not count. */
export const alive = (pid) => {
  try {
    process.kill(pid, 0);
    const status = `/proc/${pid}/status`;
    return !existsSync(status) || !/^State:\tZ/m.test(readFileSync(status, "utf8"));
  } catch {
    return false;
  }
};
/** All lines of an NDJSON file that parse. */
export const readLines = async (path) =>
  (await readFile(path, "utf8")).split("\n").flatMap((l) => {
    try {
      return [JSON.parse(l)];
    } catch {
      return [];
    }
  });
