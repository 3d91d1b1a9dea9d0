// `npm start`: plays a mission in the real OpenCode, with a scripted model on loopback and a sandbox of its own, and
// tells it live. Needs no key, no network and nothing of the person's configuration.
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import { ourPlugin, sandbox } from "../tests/e2e/opencode.mjs";
import { startModel } from "../tests/model/server.mjs";
import { at, runAsProgram, Stop, which } from "./lib.mjs";
import { opencodeBin } from "./opencode-bin.mjs";
import { bold, dim, openScreen, toSvg } from "./start/screen.mjs";
import { narrator } from "./start/show.mjs";
import { stories } from "./start/stories.mjs";

const HELP = `Plays a mission in the real OpenCode with a scripted model: no key, no network.

npm start                  a feature is built in five turns; the completion command finds what was forgotten
npm start -- --stuck       an agent that repeats itself: evidence, a forced change of strategy, the stop
npm start -- --outage      a provider that refuses everything for a while: waiting, recovery, the end
npm start -- --svg FILE    also draws what was printed (for the README)`;

const INTERRUPTED = 130;
/** A story that takes longer has failed. */
const LIMIT_MS = 180_000;
/** How often it is looked whether that is so, or the person left. */
const LOOK_MS = 100;
const LOG_LAG_MS = 60;
const SAME_KEY_MS = 300;

/** Plays a story; throws what went otherwise than it should, in words. */
async function play(name, svg) {
  const story = stories[name];
  const bin = opencodeBin();
  if (!existsSync(at("pkg/index.js"))) throw new Stop("pkg/ is not built: run `npm run build` first");
  if (!which("git")) throw new Stop("git is missing: install it with your system's package manager");
  const version = spawnSync(bin, ["--version"], { encoding: "utf8" }).stdout.trim();

  const screen = openScreen(process.stdout);
  const stage = { screen, closers: [screen.close] };
  try {
    await Promise.race([interruption(stage), perform(story, stage, version)]);
  } finally {
    await closeAll(stage);
  }
  if (process.exitCode === INTERRUPTED)
    return screen.print("  interrupted: everything that was started has been stopped");
  if (svg) writeFileSync(svg, toSvg(screen.lines, story.objective));
}

async function perform(story, stage, version) {
  const { screen } = stage;
  screen.print(
    `${bold("OpenCode Orchestrator")} ${dim(`in OpenCode ${version}, with a scripted model: no key, no network`)}`,
  );
  screen.print();
  screen.print(`  ${bold(`/task ${story.objective}`)}`);
  const check = story.options.completion?.command;
  if (check) screen.print(dim(`  completion.command: ${check}`));
  screen.print();

  const model = await startModel();
  stage.closers.push(model.close);
  const opening = sandbox({
    model,
    plugin: [ourPlugin(story.options)],
    files: story.files,
    // the completion command needs the Node that runs this, wherever it is
    env: { OPENCODE_PRINT_LOGS: "1", PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) },
  });
  stage.opening = opening;
  const box = (stage.box = await opening);
  model.script = story.script(box.project);
  const server = await box.serve();
  const { id } = await server.client.createSession();

  const teller = narrator({ screen, project: box.project, session: id, quote: story.quote });
  // the log is the faster of the two: what led to a decision is told first
  server.child.stderr.on("data", (text) => setTimeout(teller.log, LOG_LAG_MS, text));
  // resolves at the end of the first turn only; the events tell the rest
  const command = server.client.command(id, "task", story.objective).then(() => new Promise(() => {}));
  const exited = server.exited.then(({ code, signal }) => {
    throw new Stop(`OpenCode ended early (${signal ?? `exit code ${code}`})`);
  });
  await Promise.race([exited, command, follow(server.events, teller, stage)]);
  if (stage.closed) return;

  const { state } = teller;
  const requests = model.turns.length;
  screen.print();
  screen.print(
    `  ${state.turns} turns · ${state.continuations} continuations · ${teller.seconds()} s · ${requests} model requests · ` +
      `${box.outside.length} outside connections attempted`,
  );
  screen.print(dim(`  ${changes(box)}`));
  const missing = story.rules.filter((rule) => !state.rules.has(rule));
  if (!story.verdict.test(state.verdict)) throw new Stop(`the story should have ended with ${story.verdict}`);
  if (missing.length > 0) throw new Stop(`the story should have had a decision by ${missing.join(", ")}`);
  if (box.outside.length > 0) throw new Stop(`something tried to reach ${box.outside.join(", ")}`);
}

/** Tells the events until the mission has ended, or the stage is closed. */
async function follow(events, teller, stage) {
  const end = Date.now() + LIMIT_MS;
  for (let next = 0; !teller.state.verdict && !stage.closed;) {
    const event = await events.waitFor(() => true, LOOK_MS, next).catch(() => undefined);
    if (event) {
      teller.event(event);
      next += 1;
    } else if (Date.now() > end) throw new Stop(`the mission did not end within ${LIMIT_MS / 1000} s`);
  }
}

/** What the mission changed in its project, in a line. */
function changes(box) {
  const args = ["diff", "--shortstat", "--", ".", ":!opencode.json"];
  const { stdout } = spawnSync("git", args, { cwd: box.project, env: box.env, encoding: "utf8" });
  return stdout.trim() || "no file changed";
}

async function closeAll(stage) {
  stage.closed = true;
  stage.box ??= await stage.opening?.catch(() => undefined);
  await stage.box?.close();
  for (const close of stage.closers.reverse()) await close();
}

/** Resolves at Ctrl-C, so that what was started is stopped; another one ends at once. */
function interruption(stage) {
  return new Promise((done) => {
    let since = Infinity;
    const interrupt = () => {
      // npm passes on what its child got already: that is no second Ctrl-C
      if (performance.now() - since > SAME_KEY_MS) {
        stage.screen.close();
        if (stage.box) rmSync(stage.box.dir, { recursive: true, force: true });
        process.exit();
      }
      since = Math.min(since, performance.now());
      process.exitCode = INTERRUPTED;
      done();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
    process.stdout.once("error", interrupt).on("error", () => {}); // `npm start | head`
  });
}

await runAsProgram(import.meta, async (args) => {
  if (args.includes("--help") || args.includes("-h")) return console.log(HELP);
  const at = args.indexOf("--svg");
  const svg = at < 0 ? undefined : args.splice(at, 2)[1];
  const [option = "--mission", ...more] = args;
  const name = option.replace(/^--/, "");
  if (more.length > 0 || name === option || !Object.hasOwn(stories, name) || (at >= 0 && !svg)) {
    throw new Stop(`I don't know: ${process.argv.slice(2).join(" ")}\n\n${HELP}`);
  }
  await play(name, svg);
});
