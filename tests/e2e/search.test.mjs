// The code tools on the real `opencode serve`: called by a model, and aborted.
import assert from "node:assert/strict";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { text, tool } from "../model/server.mjs";
import { stage } from "./lib.mjs";

const it = await stage({
  files: {
    "src/main.rs": "fn main() {\n    parse_header();\n}\n",
    "src/parser.rs": "pub fn parse_header() {}\n// parse_header again\n",
    "src/Parser.test.ts": "parse_header\n",
    "ignored/a.rs": "fn parse_header() {}\n",
    ".ignore": "ignored\n",
    ".gitignore": "/many/\n", // OpenCode's snapshots would take it all in; a path that is asked for is searched
  },
});
after(() => it.close());

/** The text that the last tool call of the conversation returned. */
const returned = (ctx) => {
  const last = ctx.messages.at(-1);
  if (last?.role !== "tool") return undefined;
  return typeof last.content === "string" ? last.content : last.content.map((part) => part.text).join("");
};

/** What the model reads when it calls a tool. */
async function call(name, args) {
  const session = await it.session((ctx) => {
    const result = returned(ctx);
    return result === undefined ? tool(name, args) : text(`RETURNED ${result}`);
  });
  await session.say("go");
  await session.idle();
  const messages = await session.messages();
  const answer =
    messages
      .at(-1)
      ?.parts.map((p) => p.text ?? "")
      .join("") ?? "";
  return answer.replace(/^RETURNED /, "");
}

test("peers 22: the model searches: matches by file, definitions first, and a last line that says all", async () => {
  const answer = await call("code_search", { pattern: "parse_header", options: { globs: ["*.rs"] } });
  assert.equal(
    answer,
    "src/parser.rs\n1: pub fn parse_header() {}\n2: // parse_header again\n\nsrc/main.rs\n2:     parse_header();\n\n" +
      "3 matching lines in 2 files; 2 files searched.",
  );
  const cut = await call("code_search", { pattern: "parse_header", limit: 1 });
  assert.match(
    cut,
    /^src\/parser\.rs\n1: pub fn .*\n\nShown: 1 line in 1 file, of 4 matching lines in 3 files\./,
  );
});

test("every way to write the arguments: empty ones count as none, unknown ones are named", async () => {
  const all = { literal: false, ignore_case: "true", word: false, multiline: null, globs: [], path: "" };
  const counted = await call("code_search", {
    pattern: "PARSE_header",
    ...all,
    context: 0,
    limit: 0,
    mode: "count",
  });
  assert.match(
    counted,
    /^src\/parser\.rs: 2\nsrc\/Parser\.test\.ts: 1\nsrc\/main\.rs: 1\n4 matching lines in 3 files;/,
  );
  assert.match(await call("code_search", { pattern: "x", colour: "red" }), /Unknown: `colour`/);
  assert.match(
    await call("code_search", { pattern: "parse_header(" }),
    /unclosed group, at character 13 .*literal: true/,
  );
  assert.match(await call("code_search", {}), /`pattern` is missing/);
});

test("the model finds files: by glob, and by a few letters", async () => {
  assert.equal(
    await call("find_files", { options: { glob: "**/*parser*.{rs,ts}" } }),
    "src/Parser.test.ts\nsrc/parser.rs\n2 files.",
  );
  assert.match(await call("find_files", { fuzzy: "prsrs" }), /^src\/parser\.rs\n/);
});

test("nothing outside of the project is read", async () => {
  symlinkSync("/etc", join(it.box.project, "way-out"));
  for (const path of ["/etc", "../..", "way-out", "way-out/passwd"]) {
    assert.match(
      await call("code_search", { pattern: "root", path }),
      /outside of the project|leads out of the project/,
    );
  }
  assert.match(await call("code_search", { pattern: "root:", path: "" }), /^No match in /);
});

test("the person aborts a search that would take minutes: it ends at once, and the next one is answered", async () => {
  const many = join(it.box.project, "many");
  mkdirSync(many);
  writeFileSync(join(many, "0"), "some words that are searched without regard to case\n".repeat(160_000));
  for (let i = 1; i < 20_000; i++) linkSync(join(many, "0"), join(many, String(i)));
  const session = await it.session(() =>
    tool("code_search", { pattern: "zq[a-z]zq|[0-9]zz", ignore_case: true, path: "many" }),
  );
  const from = session.events.mark;
  await session.say("go");
  await session.events.waitFor(
    ({ type, properties: { part } }) =>
      type === "message.part.updated" && part.sessionID === session.id && part.state?.status === "running",
    30_000,
    from,
  );
  await session.abort();
  await session.idle();
  assert.equal(session.requests.length, 1);
  const answer = await call("code_search", { pattern: "parse_header", path: "src/main.rs" });
  assert.match(answer, /1 matching line in 1 file/);
});
