// Plays a script of tests/fidelity/ on the real OpenCode, and reads what the plugin heard and did from its journals.
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  contextOverflow,
  malformed,
  rateLimited,
  silence,
  text,
  todos,
  tool,
  until,
  usage,
} from "../model/server.mjs";

/** The parts of the model's answer to one request. */
function reply(answer, step) {
  const [[kind, value]] = Object.entries(typeof answer === "string" ? { [answer]: undefined } : answer);
  switch (kind) {
    case "say":
      return text(value);
    case "plan":
      return todos(value);
    case "planAndFill":
      return [todos(value), usage(19_500, 10)];
    case "run":
      return tool("bash", { command: value, description: "Run it" });
    case "delegate":
      return tool("delegate_task", value);
    case "ask":
      return value === "question"
        ? tool("question", {
            questions: [
              { question: "Which?", header: "Choice", options: [{ label: "A", description: "the first" }] },
            ],
          })
        : tool("bash", { command: "git status", description: "Look" });
    case "refuse":
      return rateLimited();
    case "malformed":
      return malformed();
    case "overflow":
      return contextOverflow();
    case "person":
      // a turn that is not ended by what they do comes to its end
      return [
        text("At work. "),
        until(step(value)),
        ...(["say", "deleteRoot"].includes(value[0]) ? [text("Done.")] : [silence()]),
      ];
  }
  throw new Error(`no such answer: ${kind}`);
}

/**
 * Plays the script in a new session and resolves with the journals of its mission and tasks once all is over.
 * @param {Awaited<ReturnType<import("./lib.mjs").stage>>} it
 * @param {any} script
 * @param {any} client
 */
export async function playReal(it, script, client) {
  const lines = { root: [...script.root], children: structuredClone(script.children ?? {}) };
  let acted = Promise.resolve();
  /** The person's acts: the first at once, the others when the session is quiet. */
  const step = (acts) => {
    const first = session
      .event("message.part.delta", (p) => p.delta === "At work. ")
      .then(() => act(session, acts[0]));
    acted = first.then(async () => {
      for (const next of acts.slice(1)) {
        await session.settled();
        await new Promise((done) => setTimeout(done, 1_000)); // OpenCode's second idle, and what we do at it
        await act(session, next);
      }
    });
    return first;
  };
  const session = await it.session((ctx) => {
    const name = ctx.user.split("\n")[0];
    const answers = ctx.parent ? lines.children[name] : lines.root;
    const answer = answers?.shift();
    return answer === undefined ? text("nothing is left") : reply(answer, step);
  }, client);
  const answering = answerQuestions(session);
  session.command("task", "do the work"); // may never return, once its session is deleted
  await session.asked(1);
  await quiet(session, () => acted);
  await answering.stop();
  return journals(it, session.id);
}

async function act(session, act) {
  switch (act) {
    case "abort":
      return session.abort();
    case "say":
      return session.say("a word of mine");
    case "stop":
      return void session.command("stop");
    case "deleteRoot":
      session.isDeleted = true;
      return session.client.deleteSession(session.id);
  }
  throw new Error(`no such act: ${act}`);
}

/** The person answers what the session asks, after a moment. */
function answerQuestions(session) {
  let from = session.events.mark;
  const answered = [];
  const look = () => {
    for (const { type, properties } of session.events.list.slice(from)) {
      from += 1;
      const own = properties?.sessionID === session.id;
      if (own && type === "question.asked")
        answered.push(session.client.replyQuestion(properties.id, [["A"]]));
      if (own && type === "permission.asked") answered.push(session.client.replyPermission(properties.id));
    }
  };
  const timer = setInterval(look, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return Promise.all(answered);
    },
  };
}

/** Resolves when nothing has happened in the session or below it for a while. */
async function quiet(session, acts) {
  const QUIET_MS = 2_500;
  for (let seen = -1, since = Date.now(); ;) {
    await acts();
    const now = session.events.list.filter(
      (e) => e.type !== "server.heartbeat" && JSON.stringify(e.properties ?? {}).includes(session.id),
    ).length;
    if (now !== seen) [seen, since] = [now, Date.now()];
    const status = await session.client.status();
    const busy = status[session.id] && !session.isDeleted; // a turn without a session may hang on
    if (Date.now() - since > QUIET_MS && !busy) return;
    await new Promise((done) => setTimeout(done, 200));
  }
}

async function journals(it, session) {
  const base = join(it.box.xdg.state, "opencode/orchestrator");
  const all = existsSync(base) ? await readdir(base, { recursive: true }) : [];
  const files = await Promise.all(
    all
      .filter((name) => name.endsWith(".ndjson"))
      .map(async (name) => ({ name, text: await readFile(join(base, name), "utf8") })),
  );
  const own = files.filter(({ text }) => text.slice(0, text.indexOf("\n")).includes(session));
  const of = (tasks) => own.find(({ name }) => name.includes("/tasks/") === tasks)?.text ?? "";
  return { mission: of(false), tasks: of(true) };
}

// ---- what is compared ------------------------------------------------------------------------------------

/** How a turn, a call or a reply went, in a word or two. */
const faultOf = (fault) => (typeof fault === "string" ? fault : Object.keys(fault)[0]);
const endOf = (ending) => (typeof ending === "string" ? ending : `failed ${faultOf(ending.failed.fault)}`);

/** An event in a few words, without ids, times and texts; undefined for what only the clock decides. */
function heard(kind, it) {
  switch (kind) {
    case "userMessage":
      return `${it.origin} writes`;
    case "assistant":
      return `message ${endOf(it.ending)}${it.summary ? " (summary)" : ""}`;
    case "assistantText":
      return "text";
    case "sessionError":
      return `error ${faultOf(it.fault)}`;
    case "todos":
      return `todos ${it.todos.filter((t) => t.status === "completed").length}/${it.todos.length}`;
    case "tool":
      return `tool ${it.call.kind}${it.call.error ? " failed" : ""}`;
    case "blocked":
      return `asks a ${it.by}`;
    case "unblocked":
      return it.rejected ? "is refused" : "is answered";
    case "taskTool":
      return `calls ${it.tool}`;
    case "alarm":
    case "reply":
    case "granted": // the engine's own word to itself
    case "tasks":
    case "resultsSeen":
    case "missionOpen":
      return undefined;
  }
  return kind;
}

/** An effect in a few words; undefined for what is told to nobody, or decided by the clock. */
function said(kind, it) {
  switch (kind) {
    case "log": {
      const rule = /^mission \d+: ([a-z-]+): /.exec(it.message);
      return rule ? `= ${rule[1]}` : undefined;
    }
    case "prompt":
      return it.redrive ? "> prompt again" : "> prompt";
    case "answerTool":
      return it.failed ? "> answer: failed" : "> answer";
    case "setAlarm":
    case "notify":
      return undefined;
  }
  return `> ${kind}`;
}

const BEGINS = new Set(["busy", "firstOutput"]);

/**
 * The streams of a run: what was heard of each session and done to it, in its order; and the answers to requests,
 * counted, since they cross with events.
 * @param {{mission: string, tasks: string}} journals
 * @param {(journal: string) => string} replay the module's
 */
export function streams(journals, replay) {
  const streams = /** @type {Record<string, string[]>} */ ({});
  const names = new Map();
  for (const [file, text] of Object.entries(journals)) {
    if (!text) continue;
    const first = JSON.parse(text.slice(0, text.indexOf("\n")));
    const root = first.mission?.session ?? first.tasks.root;
    names.set(root, "root");
    const requests = new Map();
    const put = (session, token) => {
      if (token === undefined) return;
      const name = `${file}: ${names.get(session ?? root) ?? "somebody"}`;
      (streams[name] ??= []).push(token);
    };
    for (const line of replay(text).split("\n").filter(Boolean)) {
      const [{ event }, effects] = JSON.parse(line);
      const [kind, it] = typeof event === "string" ? [event, {}] : Object.entries(event)[0];
      if (kind === "child") names.set(it.session, it.title.replace(/ \(.*/, ""));
      if (kind === "reply") {
        const outcome = "err" in it.outcome ? `failed ${faultOf(it.outcome.err)}` : "ok";
        const name = `${file}: answers`;
        (streams[name] ??= []).push(`${requests.get(it.effect) ?? "a request before"}: ${outcome}`);
      }
      put(it.session, heard(kind, it));
      for (const effect of effects) {
        const [kind, it] = Object.entries(effect)[0];
        if (it.id !== undefined) requests.set(it.id, kind);
        put(it.parent ?? it.session, said(kind, it));
      }
    }
  }
  for (const [name, tokens] of Object.entries(streams)) {
    if (name.endsWith(": answers")) tokens.sort();
    // Our prompt may be found by the loop of the turn before, which goes on then, or begin another: a race that the
    // machine's load decides. So the idle before it and the beginning after it are left out.
    for (let i = tokens.indexOf("> prompt"); i >= 0; i = tokens.indexOf("> prompt", i + 1)) {
      while (BEGINS.has(tokens[i + 1])) tokens.splice(i + 1, 1);
      if (tokens[i - 1] === "idle" && name.endsWith("root")) tokens.splice(--i, 1);
    }
    // the event of our own deletion crosses with the answer to it, and then nobody waits for it
    if (tokens.at(-2) === "> deleteSession") tokens.splice(-1);
  }
  return streams;
}
