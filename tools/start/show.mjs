// Tells what happens in OpenCode, line by line: the agent's words and tools from OpenCode's events, the plugin's
// decisions, each with the rule that made it, from the plugin's lines in OpenCode's log.
import { relative } from "node:path";
import { bold, cyan, dim, green, red, yellow } from "./screen.mjs";

const MARKS = { completed: green("[x]"), in_progress: yellow("[>]"), cancelled: dim("[-]"), pending: "[ ]" };
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/**
 * @param {object} settings
 * @param {ReturnType<typeof import('./screen.mjs').openScreen>} settings.screen
 * @param {string} settings.project the folder that paths are shown relative to
 * @param {string} settings.session
 * @param {RegExp} [settings.quote] lines of the completion command's output worth showing
 */
export function narrator({ screen, project, session, quote }) {
  const started = performance.now();
  const roles = new Map(); // message → role
  const told = new Set(); // parts that were shown
  let todos = /** @type {{content: string, status: string}[]} */ ([]);
  let decision = /** @type {{rule: string, text: string} | undefined} */ (undefined);
  let torn = ""; // the log's last line, while it is not whole
  let early = ""; // a prompt whose continuation was not told yet
  let pause = /** @type {{what: string, until: number} | undefined} */ (undefined);
  const state = { turns: 0, continuations: 0, rules: new Set(), verdict: "" };

  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  const line = (text) => screen.print(`       ${text}`);
  const timed = (text) => screen.print(`${dim(`${seconds().padStart(5)}s`)} ${text.trimEnd()}`);

  /** A decision waits for the notice it leads to, so that both are one line. */
  function flush() {
    if (decision) timed(`${cyan("·")} ${decision.text} ${rule(decision.rule)}`);
    decision = undefined;
  }
  const rule = (name) => dim(`· ${name}`);

  function onDecision(name, text) {
    flush();
    decision = { rule: name, text };
    state.rules.add(name);
  }

  function onNotice(text) {
    const why = decision && rule(decision.rule);
    decision = undefined;
    const sent = /^(?:continues|is stuck|asks|resumes).*\((\d+) of at most/.exec(text);
    const wait = /next try in (?:(\d+) min ?)?(?:(\d+) s)?/i.exec(text);
    if (text.startsWith("started:")) return;
    if (/^(?:complete|stopped|ended)/.test(text)) return onVerdict(text, why);
    if (!sent) timed(`${yellow("!")} ${text} ${why ?? ""}`);
    if (sent) {
      timed(`${cyan("↻")} ${bold(`turn ${state.turns + 1}:`)} ${text.replace(/^is /, "")} ${why ?? ""}`);
      state.continuations = Number(sent[1]);
      if (early) onPrompt(early);
      early = "";
    }
    if (wait) {
      const ms = (Number(wait[1] ?? 0) * 60 + Number(wait[2] ?? 0)) * 1000;
      pause = { what: "waiting for the provider", until: performance.now() + ms };
    }
  }

  function onVerdict(text, why) {
    const [, verdict, evidence = ""] = /^(.*?)(?: \((.*)\))?$/s.exec(text);
    timed(`${text.startsWith("complete") ? green("✔") : red("■")} ${bold(verdict)} ${why ?? ""}`);
    for (const reason of evidence.split("; ").filter(Boolean)) line(yellow(`“${reason}”`));
    state.verdict = text;
  }

  function onTodos(next) {
    const before = new Map(todos.map(({ content, status }) => [content, status]));
    todos = next;
    for (const { content, status } of next) {
      if (before.get(content) !== status) line(`${MARKS[status] ?? "[?]"} ${content}`);
    }
  }

  function onPart(part) {
    if (told.has(part.id)) return;
    if (roles.get(part.messageID) === "user") {
      if (part.type !== "text" || !part.text || part.ignored) return; // ignored: what the person typed
      told.add(part.id);
      onPrompt(part.text);
    } else if (part.type === "text" && part.time?.end) {
      told.add(part.id);
      line(part.text);
    } else if (part.type === "tool" && ["completed", "error"].includes(part.state?.status)) {
      told.add(part.id);
      const shown = toolLine(part, project);
      if (shown) line(dim(`→ ${shown}`));
    }
  }

  /** A turn begins with a prompt; what it quotes to the agent is shown. */
  function onPrompt(text) {
    const iteration = Number(/^<mission [^>]*iteration="(\d+)"/.exec(text)?.[1] ?? 0);
    if (iteration > state.continuations) {
      early = text; // the log comes by another way, and tells first why there is a turn
      return;
    }
    flush();
    pause = undefined;
    const quoted = [...text.matchAll(/<evidence>(.*?)<\/evidence>/gs)].map(([, inside]) => inside);
    const output = /<output [^>]*>(.*?)<\/output>/s.exec(text)?.[1] ?? "";
    for (const found of new Set([...quoted, ...((quote && output.match(quote)) ?? [])]))
      line(yellow(`“${unescape(found)}”`));
    state.turns += 1;
    if (iteration === 0) timed(`${cyan("·")} ${bold(`turn ${state.turns}`)}`);
  }

  function onRetry({ attempt, message, next }) {
    timed(`${yellow("!")} ${message}: OpenCode tries again by itself ${dim(`(${attempt})`)}`);
    pause = {
      what: "OpenCode waits for the provider",
      until: performance.now() + Math.max(next - Date.now(), 0),
    };
  }

  screen.panel(() => {
    if (state.verdict) return [];
    const spin = SPINNER[Math.floor(performance.now() / 100) % SPINNER.length];
    const left = pause && Math.ceil((pause.until - performance.now()) / 1000);
    const doing = left > 0 ? `${pause.what}, ${left} s` : state.turns ? `turn ${state.turns}` : "starting";
    const done = todos.filter(({ status }) => status === "completed").length;
    return [
      "",
      ...todos.map(({ content, status }) => `       ${MARKS[status] ?? "[?]"} ${content}`),
      `     ${cyan(spin)} ${doing}${todos.length ? dim(` · ${done} of ${todos.length} done`) : ""}${dim(` · ${seconds()} s`)}`,
    ];
  });

  return {
    state,
    seconds,
    /** One event of OpenCode's. */
    event({ type, properties }) {
      if (type === "message.updated") roles.set(properties.info.id, properties.info.role);
      const of = properties.sessionID ?? properties.part?.sessionID;
      if (of !== session) return;
      if (type === "message.part.updated") onPart(properties.part);
      if (type === "todo.updated") onTodos(properties.todos);
      if (type === "session.status" && properties.status.type === "retry") onRetry(properties.status);
    },
    /** Some of OpenCode's log. */
    log(text) {
      const lines = (torn + text).split("\n");
      torn = lines.pop() ?? "";
      for (const [, quoted] of lines.join("\n").matchAll(/message="((?:[^"\\]|\\.)*)"/g)) {
        const message = quoted.replace(/\\(.)/g, "$1");
        const [, name, made] = /^mission \d+: ([a-z-]+): (.*)$/.exec(message) ?? [];
        const [, notice] = /^Mission \d+: (.*)$/.exec(message) ?? [];
        if (made) onDecision(name, made);
        if (notice) onNotice(notice);
      }
    },
  };
}

function toolLine({ tool, state }, project) {
  const { input = {}, metadata = {} } = state;
  if (tool === "todowrite") return undefined;
  if (tool === "bash") return `$ ${input.command}  (exit ${metadata.exit ?? "?"})`;
  const path = input.filePath ? relative(project, input.filePath) : JSON.stringify(input);
  return `${tool} ${path}${state.status === "error" ? `: ${state.error}` : ""}`;
}

const unescape = (text) =>
  text.replace(
    /&(lt|gt|quot|apos|amp);/g,
    (_, name) => ({ lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" })[name],
  );
