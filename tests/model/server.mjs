// A scripted model: an OpenAI-compatible chat-completions server on loopback, for tests and the demo.
//
// A *script* is a function `(ctx) => reply` called once for each model request. It should derive what to say
// from the conversation in `ctx` (not from counters), so that it still makes sense after a restart. A *reply* is
// one part or a list of parts, made with the builders below. Title requests never reach the script; compaction
// requests do only when the script was made with `withCompaction`.
import { createServer } from "node:http";
import { once } from "node:events";

/**
 * @typedef {{kind: string, [key: string]: any}} Part one piece of a reply, made by a builder below
 * @typedef {object} Ctx what a script sees of one request
 * @property {any} body the whole request body
 * @property {any[]} messages `body.messages` without the system messages
 * @property {string} system all system text, joined
 * @property {string} user text of the last user message
 * @property {string} agent by the `agents` option, or ''
 * @property {string} session OpenCode's session id ('' if the header is missing)
 * @property {string} parent the parent's session id ('' for a root session)
 * @property {number} turn user messages so far (1 = first turn)
 * @property {number} step assistant messages since the last user message (0 = first request of the turn)
 * @property {any[] | null} todos arguments of the last todowrite in the conversation, or null
 * @property {string[]} tools names offered
 * @property {number} nth how many requests of this session came before, retries included
 * @typedef {(ctx: Ctx) => Part | Part[] | Promise<Part | Part[]>} Script
 * @typedef {Ctx & {time: number, kind: 'title' | 'compaction' | 'turn', ended?: number, aborted?: boolean, reply?: Part[]}} Recorded
 */

// ---- builders: what a reply is made of ----------------------------------------------------------------

/** Some text; `gapMs` between words makes it stream slowly. @returns {Part} */
export const text = (content, { gapMs = 0 } = {}) => ({ kind: "text", content, gapMs });
/** Hidden reasoning text. @returns {Part} */
export const reasoning = (content) => ({ kind: "reasoning", content });
/** A tool call. `args` may be a string, to send broken JSON. @returns {Part} */
export const tool = (name, args = {}) => ({ kind: "tool", name, args });
/** A todowrite call: `todos([['a', 'completed'], ['b', 'pending']])`. @returns {Part} */
export const todos = (list) =>
  tool("todowrite", {
    todos: list.map((t) =>
      Array.isArray(t) ? { content: t[0], status: t[1] ?? "pending", priority: t[2] ?? "medium" } : t,
    ),
  });
/** A pause at this place of the stream; as the first part it delays the first byte. @returns {Part} */
export const wait = (ms) => ({ kind: "wait", ms });
/** Streams words until the client goes away. @returns {Part} */
export const forever = ({ gapMs = 50 } = {}) => ({ kind: "forever", gapMs });
/** Says nothing at all until the client goes away. @returns {Part} */
export const silence = () => ({ kind: "silence" });
/** Holds the stream at this place until the promise settles. @returns {Part} */
export const until = (promise) => ({ kind: "until", promise });
/** Token counts to report. @returns {Part} */
export const usage = (input, output, cached = 0) => ({ kind: "usage", input, output, cached });
/** Ends with this finish_reason instead of the natural one, e.g. 'length'. @returns {Part} */
export const finish = (reason) => ({ kind: "finish", reason });
/** An HTTP error. @returns {Part} */
export const status = (
  code,
  { message = `status ${code}`, type = "error", errorCode = null, retryAfter, headers = {} } = {},
) => ({
  kind: "status",
  code,
  body: { error: { message, type, code: errorCode } },
  headers: retryAfter === undefined ? headers : { ...headers, "retry-after": String(retryAfter) },
});
export const rateLimited = (retryAfter) =>
  status(429, {
    message: "Rate limit reached",
    type: "rate_limit_error",
    errorCode: "rate_limit_exceeded",
    retryAfter,
  });
export const serverError = (code = 500) =>
  status(code, { message: "Internal server error", type: "server_error" });
export const unauthorized = () =>
  status(401, {
    message: "Incorrect API key provided",
    type: "invalid_request_error",
    errorCode: "invalid_api_key",
  });
export const contextOverflow = () =>
  status(400, {
    message: "This model's maximum context length is 8192 tokens",
    type: "invalid_request_error",
    errorCode: "context_length_exceeded",
  });
export const outOfQuota = () =>
  status(429, {
    message: "You exceeded your current quota",
    type: "insufficient_quota",
    errorCode: "insufficient_quota",
  });
/** The connection breaks here (before the first byte, if it is the first part). @returns {Part} */
export const reset = () => ({ kind: "reset" });
/**
 * A chunk that is not JSON. OpenCode gives up at once on this one, but retries after a cut-off string such as
 * `{"choices":[{"delta":{"content":"bro` (its error text has "terminated" in it).
 * @returns {Part}
 */
export const malformed = (chunk = "{not json}") => ({ kind: "malformed", chunk });

/** The replies of one turn, one for each request in it: `turn([text('plan'), todos(…)], text('done'))`. */
export const turn = (...replies) => ({ replies });
/**
 * A script of fixed turns, looked up by the conversation: turn k is answered by `list[k]`, and after the end by
 * `after` (default: a short text).
 * @returns {Script}
 */
export const turns =
  (list, after = text("Nothing more to say.")) =>
  (ctx) => {
    const t = list[ctx.turn - 1];
    if (!t) return after;
    const replies = t.replies ?? [t];
    return replies[ctx.step] ?? text("Done with this turn.");
  };
/** Lets a script also answer compaction requests (`ctx.kind === 'compaction'`). @param {Script} script @returns {Script} */
export const withCompaction = (script) =>
  Object.assign((/** @type {Ctx} */ ctx) => script(ctx), { compaction: true });

// ---- the server ----------------------------------------------------------------------------------------

/**
 * @param {object} [options]
 * @param {Script} [options.script]
 * @param {Record<string, RegExp>} [options.agents] agent name → pattern found in its system text
 * @param {number} [options.context] the model's context window, in tokens
 * @param {number} [options.output] the model's output limit, in tokens
 * @param {{input: number, output: number}} [options.cost] in dollars a million tokens
 */
export async function startModel(options = {}) {
  let script = options.script ?? (() => text("Hello from the scripted model."));
  /** @type {Recorded[]} */
  const requests = [];
  /** @type {Set<() => void>} */
  const watchers = new Set();
  const notify = () => [...watchers].forEach((w) => w());
  const sockets = new Set();

  const server = createServer(async (req, res) => {
    res.on("error", () => {});
    try {
      const chunks = [];
      for await (const chunk of req) chunks.push(chunk);
      const raw = Buffer.concat(chunks).toString("utf8");
      if (req.method !== "POST") return void res.writeHead(404).end();
      const record = describe(JSON.parse(raw), req.headers);
      record.nth = requests.filter((r) => r.kind === record.kind && r.session === record.session).length;
      requests.push(record);
      res.on("close", () => {
        record.ended = Date.now();
        record.aborted = !res.writableFinished;
        notify();
      });
      notify();
      const reply = [await answer(record)].flat();
      record.reply = reply;
      await play(reply, record, res);
    } catch (error) {
      if (!res.headersSent) res.writeHead(500, { "content-type": "application/json" });
      res.end(JSON.stringify({ error: { message: `script failed: ${error?.stack ?? error}` } }));
    }
  });
  server.on("connection", (s) => {
    sockets.add(s);
    s.on("close", () => sockets.delete(s));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}/v1`;

  /** @param {Recorded} record */
  function answer(record) {
    if (record.kind === "title") return text("Scripted title");
    if (record.kind === "compaction" && !(/** @type {any} */ (script).compaction)) {
      return text(`Summary so far.\n<kept-todos>${JSON.stringify(record.todos ?? [])}</kept-todos>`);
    }
    return script(record);
  }

  /** @returns {Recorded} */
  function describe(body, headers) {
    const all = body.messages ?? [];
    const system = all
      .filter((m) => m.role === "system")
      .map((m) => textOf(m))
      .join("\n");
    const messages = all.filter((m) => m.role !== "system");
    const lastUser = messages.map((m) => m.role).lastIndexOf("user");
    const kind = /You are a title generator/.test(system)
      ? "title"
      : /compact|summar/i.test(system.slice(0, 400)) && !body.tools?.length
        ? "compaction"
        : "turn";
    return {
      time: Date.now(),
      kind,
      body,
      messages,
      system,
      user: lastUser < 0 ? "" : textOf(messages[lastUser]),
      agent: Object.entries(options.agents ?? {}).find(([, pattern]) => pattern.test(system))?.[0] ?? "",
      session: String(
        headers["x-session-id"] ?? headers["x-session-affinity"] ?? headers["x-opencode-session"] ?? "",
      ),
      parent: String(headers["x-parent-session-id"] ?? ""),
      turn: messages.filter((m) => m.role === "user").length,
      step: messages.slice(lastUser + 1).filter((m) => m.role === "assistant").length,
      todos: lastTodos(messages),
      tools: (body.tools ?? []).map((t) => t.function?.name),
      nth: 0,
      /** @type {any} */ headers,
    };
  }

  return {
    url,
    requests,
    get script() {
      return script;
    },
    set script(next) {
      script = next;
    },
    /** Requests of the work itself: no titles, no compactions. */
    get turns() {
      return requests.filter((r) => r.kind === "turn");
    },
    /** Resolves when `test(requests)` holds. @param {(requests: Recorded[]) => any} test */
    waitFor(test, timeoutMs = 60_000, what = "the model requests") {
      return new Promise((resolve, reject) => {
        const stop = () => {
          watchers.delete(check);
          clearTimeout(timer);
        };
        const check = () => {
          const hit = test(requests);
          if (hit) {
            stop();
            resolve(hit);
          }
        };
        const timer = setTimeout(() => {
          stop();
          reject(
            new Error(`timed out after ${timeoutMs} ms waiting for ${what}; saw ${requests.length} requests`),
          );
        }, timeoutMs);
        watchers.add(check);
        check();
      });
    },
    /** The `model`, `small_model` and `provider` entries of opencode.json. */
    config() {
      const entry = (name) => ({
        name,
        tool_call: true,
        limit: { context: options.context ?? 200_000, output: options.output ?? 8_000 },
        ...(options.cost ? { cost: options.cost } : {}),
      });
      return {
        model: "scripted/main",
        small_model: "scripted/small",
        provider: {
          scripted: {
            npm: "@ai-sdk/openai-compatible",
            name: "Scripted",
            options: { baseURL: url, apiKey: "none" },
            models: { main: entry("Main"), small: entry("Small") },
          },
        },
      };
    },
    async close() {
      server.close();
      for (const s of sockets) s.destroy();
    },
  };
}

/** Writes one reply to the socket, as server-sent events. @param {Part[]} reply */
async function play(reply, record, res) {
  let gone = false;
  const closed = new Promise((resolve) =>
    res.on("close", () => {
      gone = true;
      resolve(undefined);
    }),
  );
  const pause = (ms) => (ms > 0 ? Promise.race([new Promise((r) => setTimeout(r, ms)), closed]) : undefined);
  const id = `chatcmpl-${record.time}-${record.nth}`;
  const start = () => {
    if (!res.headersSent)
      res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  };
  const send = (delta, finishReason = null, extra = {}) => {
    start();
    res.write(
      `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created: 0, model: record.body.model, choices: [{ index: 0, delta, finish_reason: finishReason }], ...extra })}\n\n`,
    );
  };
  let calls = 0;
  let reason = "";
  let tokens = { input: Math.ceil(JSON.stringify(record.body).length / 4), output: 10, cached: 0 };
  for (const part of reply) {
    if (gone) return;
    switch (part.kind) {
      case "text":
        for (const piece of part.gapMs ? part.content.split(/(?<= )/) : [part.content]) {
          if (gone) return;
          send({ role: "assistant", content: piece });
          await pause(part.gapMs);
        }
        break;
      case "reasoning":
        send({ role: "assistant", reasoning_content: part.content });
        break;
      case "tool": {
        const call = {
          index: calls,
          id: `call_${record.time.toString(36)}_${record.nth}_${calls}`,
          type: "function",
        };
        calls += 1;
        send({
          role: "assistant",
          tool_calls: [
            {
              ...call,
              function: {
                name: part.name,
                arguments: typeof part.args === "string" ? part.args : JSON.stringify(part.args),
              },
            },
          ],
        });
        break;
      }
      case "wait":
        await pause(part.ms);
        break;
      case "until":
        await Promise.race([part.promise, closed]);
        break;
      case "silence":
        await closed;
        return;
      case "forever":
        for (let i = 0; !gone; i += 1) {
          send({ role: "assistant", content: `word${i} ` });
          await pause(part.gapMs);
        }
        return;
      case "usage":
        tokens = part;
        break;
      case "finish":
        reason = part.reason;
        break;
      case "status":
        res
          .writeHead(part.code, { "content-type": "application/json", ...part.headers })
          .end(JSON.stringify(part.body));
        return;
      case "reset":
        if (res.headersSent) await new Promise((r) => res.write(": \n\n", r));
        res.socket?.resetAndDestroy?.() ?? res.destroy();
        return;
      case "malformed":
        start();
        res.write(`data: ${part.chunk}\n\n`);
        res.end("data: [DONE]\n\n");
        return;
      default:
        throw new Error(`unknown part ${JSON.stringify(part)}`);
    }
  }
  if (gone) return;
  send({}, reason || (calls ? "tool_calls" : "stop"));
  start();
  res.write(
    `data: ${JSON.stringify({
      id,
      object: "chat.completion.chunk",
      created: 0,
      model: record.body.model,
      choices: [],
      usage: {
        prompt_tokens: tokens.input,
        completion_tokens: tokens.output,
        total_tokens: tokens.input + tokens.output,
        prompt_tokens_details: { cached_tokens: tokens.cached },
      },
    })}\n\n`,
  );
  res.end("data: [DONE]\n\n");
}

/** The text of a message, whether its content is a string or a list of parts. */
export function textOf(message) {
  const content = message?.content;
  return typeof content === "string" ? content : (content ?? []).map((p) => p.text ?? "").join("\n");
}

/** The todos last written in a conversation (also those kept by a scripted compaction summary), or null. */
export function lastTodos(messages) {
  for (const m of [...messages].reverse()) {
    for (const call of [...(m.tool_calls ?? [])].reverse()) {
      if (call.function?.name !== "todowrite") continue;
      try {
        return JSON.parse(call.function.arguments).todos;
      } catch {
        /* sent broken on purpose */
      }
    }
    const kept = /<kept-todos>(.*?)<\/kept-todos>/s.exec(textOf(m));
    if (kept) return JSON.parse(kept[1]);
  }
  return null;
}
