// The stories that `npm start` can play. Each is a small project and the lines of the scripted model: what it says and
// which tools it calls. OpenCode carries the calls out for real; whether and how the work goes on is up to the plugin.
import { outage } from "../../tests/model/scripts.mjs";
import { rateLimited, text as say, todos as plan, tool, wait } from "../../tests/model/server.mjs";

/**
 * @typedef {object} Story
 * @property {string} objective what is given to /task
 * @property {object} options the plugin's options
 * @property {Record<string, string>} files the project
 * @property {(dir: string) => import('../../tests/model/server.mjs').Script} script
 * @property {RegExp} [quote] lines of the completion command's output worth showing
 * @property {RegExp} verdict how it must end
 * @property {string[]} rules rules that must have decided something on the way
 */

const text = (content) => say(content, { gapMs: 30 });
const bash = (command) => tool("bash", { command, description: "Runs it" });

/**
 * A script of turns, each a list of replies. The place is found by the answers in the conversation: a request that
 * failed or a turn that was interrupted is taken up again where it was.
 */
const turns = (list) => (ctx) => {
  const answers = ctx.messages.filter((message) => message.role === "assistant");
  const ends = answers.map((message) => !message.tool_calls?.length);
  const turn = ends.filter(Boolean).length;
  const step = ends.length - 1 - ends.lastIndexOf(true);
  return [wait(150), list[turn]?.[step] ?? text("There is nothing left to do.")].flat();
};

// ---- the usual one: a feature, a forgotten detail that the completion command finds, the end ----------------

const GREET = `const args = process.argv.slice(2);
if (args.includes("--help")) {
  console.log("usage: greet [--shout] [--help] <name>");
  process.exit();
}
const name = args.find((arg) => !arg.startsWith("--")) ?? "world";
const greeting = \`Hello, \${name}!\`;
console.log(args.includes("--shout") ? greeting.toUpperCase() : greeting);
`;

const TEST = `import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";

const greet = (...args) => execFileSync(process.execPath, ["greet.mjs", ...args], { encoding: "utf8" });

test("greets by name", () => assert.equal(greet("Ada"), "Hello, Ada!\\n"));

test("--help names every flag of the README", () => {
  for (const [flag] of readFileSync("README.md", "utf8").matchAll(/--\\w+/g)) assert.ok(greet("--help").includes(flag), flag);
});
`;

const README = `# greet

    node greet.mjs [--shout] [--help] <name>

- \`--shout\` prints in capitals
`;

const TODOS = [
  "Write a failing test for --json",
  "Make greet.mjs print JSON with --json",
  "Describe --json in README.md",
];
const HELP_TODO = "Name --json in --help";

const mission = {
  objective: "Add a --json flag to the greet CLI, with a test and a line in the README",
  options: { completion: { command: "node --test --test-reporter=spec", timeoutSec: 60 } },
  files: {
    "greet.mjs": GREET,
    "greet.test.mjs": TEST,
    "README.md": README,
    "package.json": '{ "name": "greet", "type": "module" }\n',
  },
  script(dir) {
    const read = (name) => tool("read", { filePath: `${dir}/${name}` });
    const edit = (name, oldString, newString) =>
      tool("edit", { filePath: `${dir}/${name}`, oldString, newString });
    /** The plan with this many todos done, and perhaps the next in progress. */
    const ticked = (done, working, list = TODOS) =>
      plan(
        list.map((todo, i) => [
          todo,
          i < done ? "completed" : i === done && working ? "in_progress" : "pending",
        ]),
      );
    const all = [...TODOS, HELP_TODO];
    return turns([
      [
        [
          text("I read the code before I plan."),
          read("greet.mjs"),
          read("greet.test.mjs"),
          read("README.md"),
        ],
        ticked(0, false),
        text("Three todos; the test comes first."),
      ],
      [
        [
          ticked(0, true),
          edit(
            "greet.test.mjs",
            'test("--help',
            'test("--json prints JSON", () => {\n  assert.deepEqual(JSON.parse(greet("--json", "Ada")), { greeting: "Hello, Ada!" });\n});\n\ntest("--help',
          ),
        ],
        bash("node --test"),
        ticked(1, false),
        text("The new test fails, as it should."),
      ],
      [
        [
          ticked(1, true),
          edit(
            "greet.mjs",
            'console.log(args.includes("--shout") ? greeting.toUpperCase() : greeting);',
            'const text = args.includes("--shout") ? greeting.toUpperCase() : greeting;\nconsole.log(args.includes("--json") ? JSON.stringify({ greeting: text }) : text);',
          ),
        ],
        bash("node --test"),
        ticked(2, false),
        text("All tests pass."),
      ],
      [
        [
          ticked(2, true),
          edit("README.md", "capitals\n", "capitals\n- `--json` prints an object with the greeting\n"),
        ],
        ticked(3, false),
        text("Everything is done."),
      ],
      [
        [
          text("The README names --json now, and --help does not."),
          ticked(3, true, all),
          edit("greet.mjs", "[--shout]", "[--shout] [--json]"),
        ],
        bash("node --test"),
        ticked(4, false, all),
        text("--help names it, and all tests pass."),
      ],
    ]);
  },
  quote: /✖ .*?(?= \()/g,
  verdict: /^complete/,
  rules: ["strong-progress", "check-failed", "check-passed", "all-done"],
};

// ---- an agent that tries the same thing for ever ---------------------------------------------------------------

const stuck = {
  objective: "Make the release build pass",
  options: {},
  files: {
    "build.mjs": 'console.error("error: signing key not found: keys/release.pem");\nprocess.exit(1);\n',
  },
  script: () => {
    const list = (status) =>
      plan([
        ["Run the release build", status],
        ["Fix what fails", "pending"],
      ]);
    const again = [[text("I will run the build again."), bash("node build.mjs")], bash("node build.mjs")];
    const sorry = text("The signing key is still missing.");
    return turns([
      [list("in_progress"), bash("node build.mjs"), text("The build fails: a key is missing.")],
      ...[0, 1, 2, 3, 4, 5].map(() => [...again, sorry]),
    ]);
  },
  verdict: /^stopped: no progress/,
  rules: ["stagnant", "pivot"],
};

// ---- a provider that refuses everything for a while ------------------------------------------------------------

/** The provider's outage outlasts the host's own retries; the asked-for wait makes those quick. */
const OUTAGE_MS = 12_000;
const RETRY_AFTER_SEC = 0.8;
/** Requests let through before: the first two turns. */
const BEFORE = 7;

const limited = {
  ...mission,
  script: (dir) =>
    outage(OUTAGE_MS, {
      inner: mission.script(dir),
      after: BEFORE,
      fail: () => rateLimited(RETRY_AFTER_SEC),
    }),
  rules: ["provider-fault", "outage-over", "all-done"],
};

/** @type {Record<string, Story>} */
export const stories = { mission, stuck, outage: limited };
