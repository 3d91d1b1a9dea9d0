// The mission loop in the real OpenCode: how long a continuation takes, and what the model has to read for it.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { ourPlugin, sandbox } from "../tests/e2e/opencode.mjs";
import { steps } from "../tests/model/scripts.mjs";
import { startModel, text, todos, tool } from "../tests/model/server.mjs";
import { at } from "../tools/lib.mjs";

const url = (...path) => pathToFileURL(at(...path)).href;
const TRACE = at("target", "bench-trace.txt");
const LIMIT_MS = 240_000;

/**
 * OpenCode with these plugins, in a sandbox; `mission` plays one in a session of its own and resolves to what the model
 * was asked in it.
 * @param {object} settings
 * @param {any[]} [settings.plugin] entries of opencode.json
 * @param {object} [settings.config] more of opencode.json
 */
async function open({ plugin = [], config }) {
  const model = await startModel();
  const box = await sandbox({ model, plugin, config, env: { BENCH_TRACE: TRACE } });
  const { client } = await box.serve();

  /**
   * @param {import('../tests/model/server.mjs').Script} script
   * @param {(client: any, session: string) => Promise<any>} start
   * @param {(requests: any[]) => any} done
   */
  async function mission(script, start, done, title = "bench") {
    model.script = script;
    const { id } = await client.createSession({ title });
    const own = () => model.turns.filter(({ session }) => session === id);
    start(client, id).catch(() => {}); // still open when OpenCode is stopped
    await model.waitFor(() => done(own()), LIMIT_MS);
    return own();
  }
  const close = async () => {
    await box.close();
    await model.close();
  };
  return { mission, close, project: box.project, outside: box.outside };
}

const task = (client, session) => client.command(session, "task", "do the steps");
const prompt = (client, session) => client.promptAsync(session, "do the steps");
/** So many answers that end a turn were sent in full. */
const turnsEnded = (turns) => (requests) =>
  requests.filter((request) => request.ended && !callsTools(request)).length >= turns;
const callsTools = (request) => request.reply?.some(({ kind }) => kind === "tool") ?? false;

// ---- (a) how long a continuation takes -------------------------------------------------------------------------

const TURNS_TIMED = 11;
/** The peer waits for three seconds each time. */
const PEER_TURNS_TIMED = 4;

/**
 * From the last byte of a turn's answer to the next turn's request, in ms by round: us and a plugin that does no more
 * than prompt at idle take turns in the same process; the upstream orchestrator has one of its own.
 */
export async function continuations({ rounds, peer }) {
  rmSync(TRACE, { force: true });
  const gaps = { ours: [], bare: [], peer: [] };
  const outside = {};
  const both = await open({ plugin: [url("bench/plugins/timed.mjs"), url("bench/plugins/bare.mjs")] });
  try {
    const play = {
      ours: () => both.mission(steps(TURNS_TIMED - 1), task, turnsEnded(TURNS_TIMED)),
      bare: () => both.mission(steps(TURNS_TIMED - 1), prompt, turnsEnded(TURNS_TIMED), "bare"),
    };
    // the first round warms OpenCode up
    for (let round = 0; round <= rounds; round += 1) {
      for (const name of round % 2 ? ["ours", "bare"] : ["bare", "ours"]) {
        const list = gapsBetweenTurns(await play[name]());
        if (round > 0) gaps[name].push(list);
      }
    }
    outside.ours = [...both.outside];
  } finally {
    await both.close();
  }
  const own = existsSync(TRACE) ? readFileSync(TRACE, "utf8").trim().split("\n").map(Number) : [];
  rmSync(TRACE, { force: true });
  if (peer) {
    const theirs = await open({ plugin: [pathToFileURL(peer.root).href] });
    try {
      const requests = await theirs.mission(steps(TURNS_TIMED), task, turnsEnded(PEER_TURNS_TIMED));
      gaps.peer.push(gapsBetweenTurns(requests));
      outside.peer = [...theirs.outside];
    } finally {
      await theirs.close();
    }
  }
  return { gaps, own, outside };
}

function gapsBetweenTurns(requests) {
  return requests.slice(1).flatMap((request, i) => {
    const before = requests[i];
    return before.ended && !callsTools(before) ? [request.time - before.ended] : [];
  });
}

// ---- (d) what the model has to read ----------------------------------------------------------------------------

const TURNS = 10;
const REQUESTS_A_TURN = 2;

/** The agent keeps OpenCode's list and, for the upstream orchestrator, its file; the same for everyone. */
const tenTurns = (project) => (ctx) => {
  const done = (ctx.todos ?? []).filter(({ status }) => status === "completed").length;
  if (ctx.messages.at(-1)?.role === "tool") return text(`${done} of ${TURNS - 1} steps are done.`);
  const next = ctx.todos ? done + 1 : 0;
  if (next >= TURNS) return text("All steps are done.");
  const names = Array.from({ length: TURNS - 1 }, (_, i) => `step ${i + 1}`);
  return [
    todos(names.map((name, i) => [name, i < next ? "completed" : "pending"])),
    tool("write", {
      filePath: `${project}/.opencode/todo.md`,
      content: names.map((name, i) => `- [${i < next ? "x" : " "}] ${name}\n`).join(""),
    }),
  ];
};

/** What OpenCode sends in any case: all of its tools, and an agent whose prompt takes the place of OpenCode's. */
const PLAIN = {
  default_agent: "plain",
  agent: { plain: { mode: "primary", prompt: ".", permission: { question: "allow" } } },
};

/**
 * Characters of the twenty requests of a ten-turn mission. `ours` and `peer` are what each sends beyond OpenCode: for
 * us, whose agent has a prompt of its own, beyond OpenCode without any; for the peer, which goes on with OpenCode's
 * agent, beyond OpenCode with its prompt. `net` is what our missions cost more, or less, than OpenCode's agent does.
 */
export async function tokens({ peer }) {
  const count = TURNS * REQUESTS_A_TURN;
  const byHand = async (client, session) => {
    await client.prompt(session, "do the steps");
    for (let turn = 1; turn < TURNS; turn += 1) await client.prompt(session, "Go on.");
  };
  const sent = async (start, settings) => {
    const opened = await open(settings);
    try {
      const done = (requests) => requests.length >= count && requests[count - 1].ended;
      const requests = await opened.mission(tenTurns(opened.project), start, done);
      return { sizes: sizesOf(requests.slice(0, count)), outside: [...opened.outside] };
    } finally {
      await opened.close();
    }
  };
  const plain = await sent(byHand, { config: PLAIN });
  const opencode = await sent(byHand, {});
  const ours = await sent(task, { plugin: [ourPlugin()] });
  const theirs = peer && (await sent(task, { plugin: [pathToFileURL(peer.root).href] }));
  return {
    ours: beyond(ours.sizes, plain.sizes),
    peer: theirs && beyond(theirs.sizes, opencode.sizes),
    net: beyond(ours.sizes, opencode.sizes),
    outside: { ours: ours.outside, ...(theirs && { peer: theirs.outside }) },
  };
}

function sizesOf(requests) {
  const sum = (part) => requests.reduce((total, request) => total + part(request), 0);
  return {
    tools: sum(({ body }) => JSON.stringify(body.tools ?? []).length),
    system: sum(({ system }) => system.length),
    messages: sum(({ messages }) => JSON.stringify(messages).length),
  };
}

function beyond(sizes, base) {
  const parts = Object.fromEntries(Object.keys(sizes).map((part) => [part, sizes[part] - base[part]]));
  return { ...parts, total: Object.values(parts).reduce((a, b) => a + b) };
}
