// The plugin as OpenCode loads it, with a client that does nothing good.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test, type TestContext } from "node:test";
import plugin from "./index";
import { pause } from "./callbacks";
import type { Client, Config, Hooks } from "./opencode";

// the bundle looks for the module beside itself
copyFileSync(resolve("target/wasm/engine/engine_bg.wasm"), new URL("./engine.wasm", import.meta.url));

const state = mkdtempSync(join(tmpdir(), "project-"));
process.env["XDG_STATE_HOME"] = state;
after(() => rmSync(state, { recursive: true, force: true }));

/** A client whose every call ends as `call` says; `calls` names them, `toasts` are what it was asked to show. */
function client(call: () => unknown): { client: Client; calls: string[]; toasts: string[] } {
  const calls: string[] = [];
  const toasts: string[] = [];
  const group = (path: string): unknown =>
    new Proxy(() => undefined, {
      get: (_, name) => group(`${path}.${String(name)}`),
      apply: (_, __, [request]) => {
        calls.push(path);
        if (path === "client.tui.showToast") toasts.push(request.body.message);
        return call();
      },
    });
  return { client: group("client") as Client, calls, toasts };
}
const rejects = () => client(() => Promise.reject(new Error("the client is broken")));
let folders = 0;
const load = (use: Client, options?: unknown, directory = `/project-${++folders}`): Promise<Hooks> =>
  plugin.server({ client: use, directory }, options);

const GARBAGE = [
  undefined,
  null,
  3,
  "text",
  [],
  {},
  { info: null, part: 3, status: [], id: {}, sessionID: 7 },
];

test("no hook throws, whatever it is given and whatever the client does", async () => {
  for (const call of [
    () => Promise.reject(new Error("broken")),
    () => {
      throw new Error("broken at once");
    },
    () => Promise.resolve({ error: { name: "UnknownError" } }),
    () => Promise.resolve(undefined),
  ]) {
    const hooks = await load(client(call).client);
    const types = ["session.idle", "session.status", "message.updated", "todo.updated", "permission.asked"];
    types.push("session.error", "session.deleted", "session.created", "message.part.updated");
    for (const garbage of GARBAGE) {
      const any = garbage as never;
      await hooks.config?.({ agent: any, command: any });
      for (const type of types) await hooks.event?.({ event: { type, properties: any } });
      await hooks["chat.message"]?.({ sessionID: any }, any);
      for (const command of ["task", "stop", "mission", "unheard"]) {
        await hooks["command.execute.before"]?.({ command, sessionID: any, arguments: any }, any);
      }
      await hooks["tool.execute.after"]?.({ tool: any, sessionID: any, callID: any, args: any }, any);
      await hooks["experimental.text.complete"]?.({ sessionID: any, messageID: any }, { text: any });
      await hooks["experimental.session.compacting"]?.({ sessionID: any }, { context: any });
    }
    await hooks.dispose?.();
  }
});

test("options that are no options still give a plugin", async () => {
  for (const options of GARBAGE) {
    const hooks = await load(rejects().client, options);
    assert.ok(hooks.config);
    await hooks.dispose?.();
  }
});

test("peers 5: configured twice for one OpenCode instance, the second time adds nothing", async () => {
  const { client: one } = rejects();
  const first = await load(one, {}, "/twice");
  assert.deepEqual(await load(one, {}, "/twice"), {});
  await first.dispose?.();
});

test("peers 5: configured twice, the last entry's options are in force, also for what was left unfinished", async () => {
  const { client: use } = client(() => Promise.resolve({ data: [] }));
  const left = await load(use, {}, "/options");
  await left.config?.({});
  await command(left, "task", "ses_1", "go");
  await left.dispose?.();
  const [one, two] = [
    { mission: { maxIterations: 7 } },
    { mission: { maxIterations: 3 }, tasks: { maxDepth: 2 } },
  ];
  const hooks = await load(use, one, "/options");
  for (const options of [two, undefined]) assert.deepEqual(await load(use, options, "/options"), {});
  const config: Config = {};
  await hooks.config?.(config);
  assert.ok(
    !("delegate_task" in (config.agent?.["worker"]?.permission as object)),
    "the first entry's are in force",
  );
  assert.match((await command(hooks, "mission", "ses_1")).join(), /^Mission 1: interrupted by a restart/);
  await command(hooks, "task", "ses_2", "go");
  assert.match((await command(hooks, "mission", "ses_2")).join(), /0 of 3 continuations/);
  await hooks.dispose?.();
});

test("peers 25: each folder is a project; disposed and loaded again it is a new one", async () => {
  const sent = (hooks: Hooks, sessionID: string) => {
    const output = { parts: [{ type: "text", text: "" }] };
    const input = { command: "mission", sessionID, arguments: "" };
    return hooks["command.execute.before"]?.(input, output).then(() => output.parts[0]?.text);
  };
  const { client: shared } = client(() => Promise.resolve({ data: [] }));
  const [one, two] = [await load(shared, {}, "/one"), await load(shared, {}, "/two")];
  for (const hooks of [one, two]) await hooks.config?.({});
  await one["command.execute.before"]?.(
    { command: "task", sessionID: "ses_1", arguments: "go" },
    { parts: [{ type: "text", text: "" }] },
  );
  assert.match((await sent(one, "ses_1")) ?? "", /^Mission 1: working/);
  assert.match((await sent(two, "ses_1")) ?? "", /^No mission in this session/);
  assert.doesNotMatch((await sent(two, "ses_2")) ?? "", /Also/);
  await one.dispose?.();
  const again = await load(rejects().client, {}, "/one");
  await again.config?.({});
  assert.match((await sent(again, "ses_1")) ?? "", /^Mission 1: interrupted by a restart/);
  await again.dispose?.();
  await two.dispose?.();
});

test("the next process goes on counting where the ended missions stopped", async () => {
  const task = async (hooks: Hooks) => {
    const output = { parts: [{ type: "text", text: "go" }] };
    await hooks["command.execute.before"]?.({ command: "task", sessionID: "ses_1", arguments: "go" }, output);
    return output.parts.map(({ text }) => text);
  };
  for (const number of [1, 2, 3]) {
    const hooks = await load(rejects().client, {}, "/counted");
    await hooks.config?.({});
    const [shown, told, ...more] = await task(hooks);
    assert.equal(shown, "/task go");
    assert.ok(told?.startsWith(`<mission id="${number}">`), told);
    assert.deepEqual(more, []);
    const stop = { command: "stop", sessionID: "ses_1", arguments: "" };
    await hooks["command.execute.before"]?.(stop, { parts: [{ type: "text", text: "" }] });
    await hooks.dispose?.();
  }
});

test("the client is not called before OpenCode has told anything, and not after the end", async () => {
  const { client: use, calls } = rejects();
  const hooks = await load(use, { unheard: 1 });
  await hooks.config?.({});
  await new Promise(setImmediate);
  assert.equal(calls.length, 0);
  await hooks.event?.({ event: { type: "session.idle", properties: { sessionID: "ses_1" } } });
  for (let i = 0; i < 500 && !calls.includes("client.tui.showToast"); i++) await pause(10); // the module is compiled first
  assert.ok(calls.includes("client.tui.showToast"), calls.join());
  await hooks.dispose?.();
  const before = calls.length;
  await hooks.event?.({ event: { type: "session.idle", properties: { sessionID: "ses_1" } } });
  await new Promise(setImmediate);
  assert.equal(calls.length, before);
});

/** Instances of the engine whose exports are replaced; or none can be made when that throws. */
function patchEngine(t: TestContext, patch: (exports: WebAssembly.Exports) => WebAssembly.Exports): void {
  const { Instance } = WebAssembly;
  const Patched = function (module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    return { exports: { ...patch(new Instance(module, imports).exports) } };
  };
  WebAssembly.Instance = Patched as unknown as typeof Instance;
  t.after(() => void (WebAssembly.Instance = Instance));
}
const trap = () => {
  throw new WebAssembly.RuntimeError("unreachable");
};

/** What the person is shown of a command, and what the model is told. */
async function command(hooks: Hooks, name: string, sessionID: string, argument = "") {
  const output = { parts: [{ type: "text", text: argument }] };
  await hooks["command.execute.before"]?.({ command: name, sessionID, arguments: argument }, output);
  return output.parts.map(({ text }) => text);
}
/** OpenCode has started, and what was to be told is told. */
async function begin(hooks: Hooks, toasts: string[]): Promise<void> {
  await hooks.event?.({ event: { type: "session.idle", properties: { sessionID: "ses_0" } } });
  for (let i = 0; i < 500 && toasts.length === 0; i++) await pause(10);
}
const folderOf = (name: string) => {
  const base = join(state, "opencode/orchestrator");
  const folder = readdirSync(base).find((found) => found.startsWith(`${name}-`));
  return readdirSync(join(base, folder ?? ""), { recursive: true })
    .map(String)
    .sort();
};

for (const breaksAt of [1, 2]) {
  test(`a journal at which the engine breaks at the start, ${breaksAt} of 2, is set aside and told; the other is taken up`, async (t) => {
    const name = `/breaks-${breaksAt}`;
    const before = await load(rejects().client, undefined, name);
    await before.config?.({});
    for (const session of ["ses_1", "ses_2"]) await command(before, "task", session, "go");
    await before.dispose?.();
    let restores = 0;
    patchEngine(t, (exports) => {
      const restore = exports["orchestrator_restore"] as (...args: unknown[]) => unknown;
      const first = (...args: unknown[]) => (++restores === breaksAt ? trap() : restore(...args));
      return { ...exports, orchestrator_restore: first };
    });
    const { client: use, toasts } = client(() => Promise.resolve({ data: [] }));
    const hooks = await load(use, undefined, name);
    await hooks.config?.({});
    await begin(hooks, toasts);
    const aside = folderOf(name.slice(1)).filter((name) => name.endsWith(".unreadable"));
    assert.equal(aside.length, 1);
    assert.ok(!folderOf(name.slice(1)).includes("done"));
    const told = toasts.filter((text) =>
      /can't be taken up again: the engine fails at it \(unreachable\)/.test(text),
    );
    assert.equal(told.length, 1, toasts.join("\n"));
    assert.match(
      (await command(hooks, "mission", `ses_${3 - breaksAt}`)).join(),
      /Mission \d: interrupted by a restart/,
    );
    await hooks.dispose?.();
  });
}

test("without an engine the commands say so, and what an earlier OpenCode left waits", async (t) => {
  const before = await load(rejects().client, undefined, "/off");
  await before.config?.({});
  await command(before, "task", "ses_1", "go");
  await before.dispose?.();
  const left = folderOf("off");
  patchEngine(t, () => {
    throw new Error("out of memory");
  });
  const { client: use, toasts } = client(() => Promise.resolve({ data: [] }));
  const hooks = await load(use, undefined, "/off");
  await hooks.config?.({});
  await begin(hooks, toasts);
  assert.deepEqual(toasts, ["The orchestrator is off until OpenCode is started again: out of memory"]);
  for (const name of ["mission", "task"]) {
    const [shown, told] = await command(hooks, name, "ses_1", "go on");
    assert.equal(shown, toasts[0]);
    assert.match(told ?? "", /^The orchestrator is off .*: out of memory\n\nShow the line above/);
  }
  await hooks.dispose?.();
  assert.deepEqual(folderOf("off"), left);
});

test("without a journal a failure of the engine loses the mission, which is told each time", async (t) => {
  let failing = false;
  patchEngine(t, (exports) => {
    const handle = exports["orchestrator_handle"] as (...args: unknown[]) => unknown;
    const once = (...args: unknown[]) => (failing ? ((failing = false), trap()) : handle(...args));
    return { ...exports, orchestrator_handle: once };
  });
  const { client: use, toasts } = client(() => Promise.resolve({ data: [] }));
  const hooks = await load(use, { journal: { enabled: false } }, "/forgets");
  await hooks.config?.({});
  for (const times of [1, 2]) {
    await command(hooks, "task", "ses_1", "go");
    failing = true;
    await hooks.event?.({ event: { type: "session.idle", properties: { sessionID: "ses_1" } } });
    const lost = () =>
      toasts.filter((text) => /was started afresh\. What was going on is lost/.test(text)).length;
    for (let i = 0; i < 100 && lost() < times; i++) await pause(10);
    assert.equal(lost(), times, toasts.join("\n"));
  }
  await hooks.dispose?.();
});
