// Missions on one `opencode serve`: each in a session of its own that is answered by a script of its own, so that
// several can run at a time. Used by the tests of what a mission does.
import assert from "node:assert/strict";
import { join } from "node:path";
import { startModel, text, withCompaction } from "../model/server.mjs";
import { ourPlugin, sandbox } from "./opencode.mjs";

/** How a mission's last toast begins, after its name. */
const VERDICT = /^(complete|stopped|ended|replaced)/;
/** Whether a part of a message was written by the plugin. */
const isOurs = (part) => part.metadata?.orchestrator === true;
export const textOf = (message) =>
  message.parts
    .filter((p) => p.type === "text" && !p.ignored) // what the model gets
    .map((p) => p.text)
    .join("\n");

/**
 * A server with one project that has the plugin, with `options` if given; `project` makes further ones.
 * @param {object} [setup]
 * @param {object} [setup.options] the plugin's options
 * @param {object} [setup.model] options of `startModel`
 * @param {object} [setup.config] more of opencode.json
 * @param {Record<string, string>} [setup.files]
 * @param {Record<string, string>} [setup.env]
 */
export async function stage({ options, model: modelOptions = {}, config = {}, files = {}, env = {} } = {}) {
  const scripts = /** @type {Map<string, import('../model/server.mjs').Script>} */ (new Map());
  const model = await startModel({ agents: { commander: /You are the Commander/ }, ...modelOptions });
  model.script = withCompaction((ctx) =>
    ctx.kind === "compaction"
      ? summary(ctx)
      : (scripts.get(scripts.has(ctx.session) ? ctx.session : ctx.parent)?.(ctx) ?? // children by their parent's
        text("There is no script for this session.")),
  );
  const box = await sandbox({ model, plugin: [ourPlugin(options)], config, files, env });
  const server = await box.serve();
  const places = [server.client];

  /** Another folder on the same server; `plugin: []` leaves the plugin out. Gives its client. */
  async function project(name, { options, plugin = [ourPlugin(options)], config = {}, files = {} } = {}) {
    const client = server.clientFor(await box.makeProject(join(box.dir, name), { plugin, config, files }));
    places.push(client);
    await client.events.open();
    return client;
  }

  /** A session that is answered by `script`, with what tests ask of it. */
  async function session(script, client = server.client) {
    const { id } = await client.createSession();
    scripts.set(id, script);
    return new Session(id, client, model, (next) => scripts.set(id, next));
  }

  /** A mission in a new session. Resolves when `/task` was sent; `more` goes into that command's body. */
  async function mission(script, { objective = "Do the work.", client = server.client, more = {} } = {}) {
    const it = await session(script, client);
    it.command("task", objective, more);
    return it;
  }

  return {
    model,
    box,
    client: server.client,
    project,
    session,
    mission,
    /** Everything shown as a toast, in all projects. */
    toasts: () =>
      places.flatMap((client) => client.events.of("tui.toast.show").map((e) => e.properties.message)),
    async close() {
      await box.close();
      await model.close();
    },
  };
}

/** A summary that remembers only what the plugin told it to: the todos, as the scripts find them again. */
function summary({ messages }) {
  const told = [...JSON.stringify(messages.at(-1)).matchAll(/<todo status=\\"(\w+)\\">(.*?)<\/todo>/g)];
  const newest = new Map(told.map(([, status, content]) => [content, { content, status }]));
  return text(`Summary so far.\n<kept-todos>${JSON.stringify([...newest.values()])}</kept-todos>`);
}

class Session {
  constructor(id, client, model, setScript) {
    this.id = id;
    this.client = client;
    this.events = client.events;
    this.model = model;
    this.from = client.events.mark;
    this.setScript = setScript;
    this.isDeleted = false;
  }

  /** Answers from now on by another script. */
  set script(next) {
    this.setScript(next);
  }

  /** Sends a slash command without waiting for its turn. Aborting the turn may fail the call: no matter. */
  command(name, args = "", more = {}) {
    return this.client.command(this.id, name, args, more).catch(() => undefined);
  }

  /** What the person writes. */
  say(message) {
    return this.client.promptAsync(this.id, message);
  }

  abort() {
    return this.client.abort(this.id);
  }

  /** The model requests of this session's turns. */
  get requests() {
    return this.model.turns.filter((r) => r.session === this.id);
  }

  /** Waits for the nth model request, or for the first that passes a test. */
  asked(which, timeoutMs = 30_000) {
    const find = typeof which === "number" ? () => this.requests[which - 1] : () => this.requests.find(which);
    return this.model.waitFor(find, timeoutMs, `request ${which} of ${this.id}`).catch((error) => {
      const toasts = this.events.of("tui.toast.show").map((e) => e.properties.message);
      throw new Error(
        `${error.message}\n${this.requests.length} were its own; toasts:\n${toasts.join("\n")}`,
      );
    });
  }

  /** Waits for an event of this session. */
  event(type, test = (_properties) => true, { from = this.from, timeoutMs = 30_000 } = {}) {
    return this.events.waitFor(
      ({ type: t, properties: p }) => t === type && p?.sessionID === this.id && test(p),
      timeoutMs,
      from,
    );
  }

  idle(from = this.from, timeoutMs = 30_000) {
    return this.event("session.idle", undefined, { from, timeoutMs });
  }

  /** The number of the newest mission, as the model was told. */
  async number() {
    const first = await this.asked((r) => /<mission id="\d+"/.test(r.user));
    return Number(/<mission id="(\d+)"/.exec(first.user)?.[1]);
  }

  /** Waits for a toast of this mission; gives its text after "Mission n: ". */
  async toast(pattern, { from = this.from, timeoutMs = 30_000, number = undefined } = {}) {
    const name = `Mission ${number ?? (await this.number())}: `;
    const rest = (e) => e.properties.message.slice(name.length);
    const hit = await this.events.waitFor(
      (e) => e.type === "tui.toast.show" && e.properties.message.startsWith(name) && pattern.test(rest(e)),
      timeoutMs,
      from,
    );
    return rest(hit);
  }

  /** Waits for the mission's end; gives its reason. */
  async verdict(timeoutMs = 60_000) {
    const reason = await this.toast(VERDICT, { timeoutMs });
    await this.settled();
    return reason;
  }

  /** Waits until the session is idle. */
  async settled() {
    for (;;) {
      const from = this.events.mark;
      if (!(await this.client.status())[this.id]) return;
      await this.idle(from);
    }
  }

  messages() {
    return this.client.messages(this.id);
  }

  /** The texts of the user messages, the plugin's and the person's, oldest first. */
  async prompts() {
    return (await this.messages()).filter((m) => m.info.role === "user").map(textOf);
  }

  /**
   * Every prompt of ours came after the turn before had ended, and was answered. Gives the number of turns.
   */
  async turns() {
    const messages = await this.messages();
    const story = () => messages.map((m) => `${m.info.role} ${m.info.finish ?? ""}: ${textOf(m)}`).join("\n");
    messages.forEach((message, i) => {
      if (message.info.role !== "user" || !message.parts.some(isOurs)) return;
      const before = messages.slice(0, i).findLast((m) => m.info.role === "assistant")?.info;
      assert.ok(
        this.endOf(before) < this.startOf(message.info),
        `a prompt in the middle of a turn:\n${story()}`,
      );
      assert.equal(messages[i + 1]?.info.role, "assistant", `a prompt without a turn:\n${story()}`);
    });
    return messages.filter((m) => m.info.role === "user").length;
  }

  /** The place among the events where a message first had an end that is the turn's, or its turn failed. */
  endOf(message) {
    const begun = message ? this.startOf(message) : Infinity;
    return this.at(({ type, properties: { info, sessionID } }, place) => {
      if (type === "session.error") return sessionID === this.id && place > begun;
      const ended = (info?.finish && info.finish !== "tool-calls") || info?.error;
      return type === "message.updated" && info.id === message?.id && ended;
    });
  }

  startOf(message) {
    return this.at((e) => e.type === "message.updated" && e.properties.info.id === message.id);
  }

  /** The place of the first event that passes the test; later than all when there is none. */
  at(test) {
    const place = this.events.list.findIndex(test);
    return place < 0 ? Infinity : place;
  }

  /**
   * Nothing is sent. That something does not happen can only be seen by waiting: 2.5 s is ten times what OpenCode
   * takes from a prompt to its model request, and longer than the settle and grace times in these tests.
   */
  async quiet(ms = 2_500) {
    const stored = () =>
      this.messages().then(
        (list) => list.length,
        () => 0,
      ); // none in a deleted session
    const [before, messages] = [this.requests.length, await stored()];
    await new Promise((done) => setTimeout(done, ms));
    assert.equal(this.requests.length, before, `the model was asked: ${this.requests.at(-1)?.user}`);
    assert.equal(await stored(), messages, "a message was added");
  }
}
