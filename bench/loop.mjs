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
 * Plays one mission in a sandbox of its own; resolves to what the model was asked and who was called outside.
 * @param {object} settings
 * @param {any} [settings.plugin] entry of opencode.json
 * @param {object} [settings.config] more of opencode.json
 * @param {(project: string) => import('../tests/model/server.mjs').Script} settings.script
 * @param {(box: {client: any, session: string, events: any}) => Promise<any>} settings.start
 * @param {(requests: any[]) => boolean} settings.done
 */
async function play({ plugin, config, script, start, done }) {
  const model = await startModel();
  const env = { BENCH_TRACE: TRACE };
  const box = await sandbox({ model, plugin: plugin ? [plugin] : [], config, env });
  try {
    model.script = script(box.project);
    const { client, events, stop } = await box.serve();
    const { id } = await client.createSession();
    // a request may still be open when the server is stopped
    start({ client, session: id, events }).catch(() => {});
    await model.waitFor(() => done(model.turns), LIMIT_MS);
    await stop();
    return { requests: model.turns, outside: [...box.outside] };
  } finally {
    await box.close();
    await model.close();
  }
}

const task = ({ client, session }) => client.command(session, "task", "do the steps");
/** The answer that ends a turn was sent in full. */
const ended = (requests, turns) =>
  requests.filter((request) => request.ended && !callsTools(request)).length >= turns;
const callsTools = (request) => request.reply?.some(({ kind }) => kind === "tool") ?? false;

// ---- (a) how long a continuation takes -------------------------------------------------------------------------

/**
 * From the last byte of a turn's answer to the next turn's request, in ms, for us, for a plugin that does no more than
 * prompt at idle, and for the upstream orchestrator: one mission each in turn, several rounds.
 */
export async function continuations({ rounds, peer }) {
  rmSync(TRACE, { force: true });
  const mission = (plugin, turns, start = task) => ({
    plugin,
    start,
    script: () => steps(turns - 1),
    done: (requests) => ended(requests, turns),
  });
  const prompt = ({ client, session }) => client.promptAsync(session, "do the steps");
  const variants = {
    ours: mission(url("bench/plugins/timed.mjs"), 11),
    bare: mission(url("bench/plugins/bare.mjs"), 11, prompt),
    // it waits for three seconds each time
    ...(peer && { peer: mission(pathToFileURL(peer.root).href, 4) }),
  };
  const gaps = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  const outside = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const order = Object.keys(variants);
    if (round % 2) order.reverse();
    for (const name of order) {
      const played = await play(variants[name]);
      gaps[name].push(...gapsBetweenTurns(played.requests));
      outside[name].push(...played.outside);
    }
  }
  const own = existsSync(TRACE) ? readFileSync(TRACE, "utf8").trim().split("\n").map(Number) : [];
  rmSync(TRACE, { force: true });
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

/** An agent's prompt replaces OpenCode's own: with this one what remains is what OpenCode sends in any case. */
const PLAIN = { default_agent: "plain", agent: { plain: { mode: "primary", prompt: "." } } };

/**
 * Characters of the twenty requests of a ten-turn mission. `ours` and `peer` are what each sends beyond OpenCode: for
 * us, whose agent has a prompt of its own, beyond OpenCode without any; for the peer, which goes on with OpenCode's
 * agent, beyond OpenCode with its prompt. `net` is what our missions cost more, or less, than OpenCode's agent does.
 */
export async function tokens({ peer }) {
  const count = TURNS * REQUESTS_A_TURN;
  const mission = (plugin, start = task) => ({
    plugin,
    start,
    script: tenTurns,
    done: (requests) => requests.length >= count && requests[count - 1].ended,
  });
  const byHand = async ({ client, session }) => {
    await client.prompt(session, "do the steps");
    for (let turn = 1; turn < TURNS; turn += 1) await client.prompt(session, "Go on.");
  };
  const sent = async (variant) => {
    const { requests, outside } = await play(variant);
    return { sizes: sizesOf(requests.slice(0, count)), outside };
  };
  const plain = await sent({ ...mission(undefined, byHand), config: PLAIN });
  const opencode = await sent(mission(undefined, byHand));
  const ours = await sent(mission(ourPlugin()));
  const theirs = peer && (await sent(mission(pathToFileURL(peer.root).href)));
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
