// The parsing tools on the real `opencode serve`: what a mission is told of its own edits, and rewrites with permission.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { text, todos, tool, turn, turns } from "../model/server.mjs";
import { stage } from "./lib.mjs";

const SOUND = "export function greet(name: string) {\n  return `hi ${name}`;\n}\n";
const BROKEN = "export function greet(name: string {\n  return `hi ${name}`;\n}\n";
const MENDED = "export function greet(name: string) {\n  return `hello ${name}`;\n}\n";

const it = await stage({ files: { "src/greet.ts": SOUND, "src/other.ts": "greet('a');\ngreet('b');\n" } });
after(() => it.close());

const write = (client, content) =>
  tool("write", { filePath: join(client.directory, "src/greet.ts"), content });
const read = (client, path) => readFile(join(client.directory, path), "utf8");
const outputs = async (session) =>
  (await session.messages()).flatMap((m) => m.parts).filter((p) => p.type === "tool" && p.tool === "write");

/** Breaks the file in the second turn, mends it in the third, and is done in the fourth. */
const breaker = (client) =>
  turns([
    turn(
      [todos([["a"], ["b"]]), tool("read", { filePath: join(client.directory, "src/greet.ts") })],
      text("Planned."),
    ),
    turn(write(client, BROKEN), text("Changed it.")),
    turn(write(client, MENDED), text("Mended it.")),
    turn(
      todos([
        ["a", "completed"],
        ["b", "completed"],
      ]),
      text("Done."),
    ),
  ]);

test("a broken file is named in the next continuation, and mending it is progress", async () => {
  const mission = await it.mission(breaker(it.client));
  await mission.verdict();
  const [, first, second, third] = await mission.prompts();
  assert.doesNotMatch(first, /syntax_errors/);
  assert.match(second, /<syntax_errors count="1">\n<error>src\/greet\.ts:1:\d+: .+<\/error>\n.*Mend them/);
  assert.doesNotMatch(third, /syntax_errors/);
  await mission.command("mission");
  const status = mission.requests.at(-1).user;
  assert.match(status, /strong-progress: 0 of 2 todos done/);
  for (const { state } of await outputs(mission))
    assert.doesNotMatch(state.output, /syntax_errors|greet\.ts:1:/);
});

test("mission.diagnostics: false: nothing is told", async () => {
  const client = await it.project("quiet", {
    options: { mission: { diagnostics: false } },
    files: { "src/greet.ts": SOUND },
  });
  const mission = await it.mission(breaker(client), { client });
  await mission.verdict();
  for (const prompt of await mission.prompts()) assert.doesNotMatch(prompt, /syntax_errors/);
});

test("each parsing tool answers the model", async () => {
  const client = await it.project("tools", {
    files: {
      "a.ts": "export function f(x: number) {\n  return g(x);\n}\n",
      "b.sh": "f() { echo 1; }\n",
      "c.json": "{,}",
    },
  });
  const session = await it.session(
    turns([
      turn(
        [
          tool("ast_search", { pattern: "g($X)", language: "ts", options: {} }),
          tool("code_outline", { options: { path: "b.sh" } }),
          tool("code_outline", { options: { symbol: "f" } }),
          tool("code_diagnostics", { options: {} }),
          tool("ast_search", { pattern: "g(", language: "ts", options: {} }),
        ],
        text("Done."),
      ),
    ]),
    client,
  );
  await session.say("Look.");
  await session.idle();
  const answers = (await session.messages())
    .flatMap((m) => m.parts)
    .filter((p) => p.type === "tool")
    .map((p) => p.state.output ?? p.state.error);
  assert.equal(answers[0], "1 match in 1 file, of 1 of typescript.\n\na.ts\n  2:10: g(x)\n");
  assert.equal(answers[1], "b.sh: bash, 1 line\n1 function f()\n");
  assert.match(answers[2], /^f: 2 definitions and 0 uses/);
  assert.match(answers[3], /^1 problem in 1 file, of 4 checked\.\n\nc\.json:1:2: /);
  assert.match(answers[4], /does not parse as typescript/);
});

test("a rewrite asks for permission with its files; refused, it changes nothing", async () => {
  const client = await it.project("rewrite", {
    config: { permission: { edit: "ask" } },
    files: { "a.ts": "foo(1);\r\n", "b.ts": "foo(2);\n" },
  });
  const call = (apply) =>
    tool("ast_rewrite", { pattern: "foo($A)", rewrite: "bar($A)", language: "ts", options: { apply } });
  const run = async (script) => {
    const session = await it.session(script, client);
    const from = client.events.mark;
    await session.say("Rewrite.");
    return { session, from };
  };
  const asked = async (from) => {
    const event = await client.events.waitFor((e) => e.type === "permission.asked", 30_000, from);
    return event.properties;
  };
  const once = turns([turn(call(false), call(true), text("Done."))]);

  const refused = await run(once);
  const request = await asked(refused.from);
  assert.equal(request.permission, "edit");
  assert.deepEqual(request.patterns, ["a.ts", "b.ts"]);
  assert.equal(await read(client, "a.ts"), "foo(1);\r\n");
  await client.replyPermission(request.id, "reject", "No.");
  await refused.session.idle();
  assert.equal(await read(client, "a.ts"), "foo(1);\r\n");
  assert.equal(await read(client, "b.ts"), "foo(2);\n");

  // b.ts changes while the person is being asked: it is left, the other is written
  const allowed = await run(once);
  const second = await asked(allowed.from);
  await writeFile(join(client.directory, "b.ts"), "foo(3);\n");
  await client.replyPermission(second.id, "once");
  await allowed.session.idle();
  assert.equal(await read(client, "a.ts"), "bar(1);\r\n");
  assert.equal(await read(client, "b.ts"), "foo(3);\n");
  const last = allowed.session.requests.at(-1).messages.findLast((m) => m.role === "tool").content;
  assert.match(last, /Written: 1 of 2\.\nleft as it is: b\.ts \(it changed since the preview\)/);
});
