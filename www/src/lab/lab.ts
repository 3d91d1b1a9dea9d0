// The code lab: a folder, a question, and the answer as one types. Loaded when it is first looked at.
import type { BrowserTree } from "../../../host/code/browser.js";
import { openTree } from "../../../host/code/browser/library.js";
import { byId, h } from "../dom.js";
import { rowsOf, showAnswer } from "./answer.js";
import { type Chosen, sample, setUpFolder } from "./folder.js";
import { markup } from "./markup.js";
import { Source } from "./source.js";
import { type Field, TOOLS, type Tool, type Values } from "./tools.js";

/** Names in the address: the others are the fields'. */
const VIEW = "view";
const TOOL = "tool";

export class Lab {
  private tree: BrowserTree | undefined;
  private chosen: Chosen | undefined;
  private tool: Tool = TOOLS[0] as Tool;
  /** What was typed, by tool. */
  private readonly typed = new Map<string, Values>();
  private asked = new AbortController();
  private opening = new AbortController();
  private openPath: string | undefined;
  /** Modules that have answered: the first answer waits for their loading. */
  private readonly warm = new Set<boolean>();
  private readonly source: Source;

  constructor() {
    byId("lab").replaceChildren(...markup(TOOLS));
    this.source = new Source();
    for (const { id } of TOOLS) {
      byId(`tool-${id}`).addEventListener("change", () => this.choose(id));
    }
    setUpFolder(
      (chosen) => this.open(chosen),
      (text) => this.complain(text),
    );
    byId("lab-fields").addEventListener("submit", (event) => event.preventDefault());
    byId("lab-fields").addEventListener("input", () => {
      this.read();
      void this.ask();
    });
    // back from an editor: a picked folder may have changed
    addEventListener("focus", () => this.tree?.refresh());
  }

  /** Shows what the address says; at first with the sample. */
  async show(params: URLSearchParams): Promise<void> {
    if (!this.tree) {
      try {
        this.open(await sample(), false);
      } catch {
        byId("lab-name").textContent = "No folder is open";
      }
    }
    const named = TOOLS.find(({ id }) => id === params.get(TOOL));
    if (named) {
      this.tool = named;
      const values: Values = {};
      for (const { name } of named.fields) {
        const value = params.get(name);
        if (value) values[name] = value;
      }
      this.typed.set(named.id, values);
    }
    this.choose(this.tool.id);
  }

  private open(chosen: Chosen, asks = true): void {
    this.opening.abort();
    void this.tree?.close();
    this.chosen = chosen;
    this.tree = openTree(chosen.source);
    this.warm.clear();
    this.openPath = undefined;
    byId("lab-name").textContent = chosen.name;
    byId("lab-about").textContent = chosen.isSample
      ? "A part of this program's own sources, with three files that are broken on purpose."
      : "Read in this page only, as far as its ignore files let; nothing is written.";
    this.source.fail("", "Choose a place in the answer to see its file's tree.");
    this.complain();
    if (asks) this.choose(this.tool.id);
  }

  private choose(id: string): void {
    this.tool = TOOLS.find((tool) => tool.id === id) ?? this.tool;
    const { fields, about } = this.tool;
    byId<HTMLInputElement>(`tool-${this.tool.id}`).checked = true;
    byId("lab-tool-about").textContent = about;
    const values = this.typed.get(id) ?? {};
    const shows = this.chosen?.isSample === true && !this.typed.has(id);
    byId("lab-fields").replaceChildren(
      ...fields.map((field) => control(field, values[field.name] ?? (shows ? field.example : undefined))),
    );
    this.read();
    void this.ask();
  }

  /** Takes what is typed, and puts it into the address. */
  private read(): void {
    const values: Values = {};
    for (const { name, kind, of } of this.tool.fields) {
      const input = byId<HTMLInputElement>(`field-${name}`);
      const value = kind === "flag" ? (input.checked ? "1" : "") : input.value;
      if (value !== "" && !(kind === "choice" && value === of?.[0])) values[name] = value;
    }
    this.typed.set(this.tool.id, values);
    const params = new URLSearchParams({ [VIEW]: "lab", [TOOL]: this.tool.id, ...values });
    history.replaceState(null, "", `#${params}`);
  }

  private async ask(): Promise<void> {
    this.asked.abort();
    const { signal } = (this.asked = new AbortController());
    const { tree, tool } = this;
    const values = this.typed.get(tool.id) ?? {};
    if (!tree) return;
    if (tool.needs.some((name) => !values[name]))
      return this.answer("", "Type something: the answer follows.");
    const began = performance.now();
    byId("lab-answer").setAttribute("aria-busy", "true");
    try {
      const text = await tool.call(tree, values, signal);
      const loading = this.warm.has(tool.parses) ? "" : ", with the module's loading";
      this.warm.add(tool.parses);
      this.answer(
        text,
        `Answered in ${spent(performance.now() - began)}${loading}.`,
        tool.listsFiles?.(values),
      );
      if (tool.id === "ast_search") await this.followMatches(text, values);
    } catch (error) {
      if (signal.aborted) return;
      this.answer("", error instanceof Error ? error.message : String(error), false, true);
    }
  }

  private answer(text: string, said: string, listsFiles = false, isWrong = false): void {
    byId("lab-answer").removeAttribute("aria-busy");
    const rows = text === "" ? [] : rowsOf(text, listsFiles);
    showAnswer(byId("lab-answer"), rows, (path, line) => void this.look(path, line));
    byId("lab-said").textContent = said;
    byId("lab-said").classList.toggle("wrong", isWrong);
    for (const name of this.tool.needs) {
      byId(`field-${name}`).setAttribute("aria-invalid", String(isWrong));
    }
  }

  /** The open file's matches; at first those of the first file that has some. */
  private async followMatches(text: string, values: Values): Promise<void> {
    const first = rowsOf(text, false).find(({ path }) => path !== undefined)?.path;
    const path = values["rewrite"] ? this.openPath : (this.openPath ?? first);
    if (path !== undefined) await this.look(path);
  }

  /** Shows a file's tree. */
  private async look(path: string, line?: number): Promise<void> {
    this.opening.abort();
    const { signal } = (this.opening = new AbortController());
    const { tree } = this;
    if (!tree) return;
    this.openPath = path;
    this.source.wait();
    const { pattern } = (this.tool.id === "ast_search" && this.typed.get(this.tool.id)) || {};
    try {
      // of another language than the pattern: its tree alone
      const shape = await tree
        .syntaxTree({ path, ...(pattern && { pattern }) }, signal)
        .catch((error) =>
          pattern && !signal.aborted ? tree.syntaxTree({ path }, signal) : Promise.reject(error),
        );
      this.source.show(path, shape, line);
    } catch (error) {
      if (!signal.aborted) this.source.fail(path, error instanceof Error ? error.message : String(error));
    }
  }

  private complain(text = ""): void {
    byId("lab-trouble").textContent = text;
    byId("lab-trouble").hidden = text === "";
  }
}

function control({ name, label, kind, of, hint }: Field, value = ""): HTMLElement {
  const id = `field-${name}`;
  const plain = { id, autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: hint };
  switch (kind) {
    case "flag":
      return h(
        "label",
        { class: "flag" },
        h("input", { id, type: "checkbox", checked: value !== "" }),
        label,
      );
    case "choice":
      return h(
        "label",
        {},
        label,
        h(
          "select",
          { id },
          ...(of ?? []).map((option) => h("option", { selected: option === value }, option)),
        ),
      );
    case "lines":
      return h("label", { class: "wide" }, label, h("textarea", { ...plain, rows: 2 }, value));
    case "text":
      return h("label", {}, label, h("input", { ...plain, type: "text", value }));
  }
}

const spent = (ms: number) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

/** What the lab loads, beside what the page had before. */
const FILES = [
  import.meta.url,
  "./sample.json",
  "./code-browser-worker.js",
  "./search.wasm",
  "./search.data.gz",
  "./syntax.wasm",
  "./syntax.data",
];

/** Of the service worker's cache: see offline.ts. */
const CACHE_PREFIX = "orchestrator-playground-";

/**
 * What was loaded before the page's service worker was there is put into its cache from here. So the lab, too, opens again
 * without a network.
 */
async function keep(): Promise<void> {
  await navigator.serviceWorker?.ready;
  const names = await caches.keys();
  for (const name of names.filter((name) => name.startsWith(CACHE_PREFIX))) {
    const cache = await caches.open(name);
    for (const file of FILES) {
      const url = new URL(file, import.meta.url);
      if (!(await cache.match(url))) await cache.add(url);
    }
  }
}

/** As `Lab.show`, of the page's one lab. */
export function show(params: URLSearchParams): Promise<void> {
  return (lab ??= new Lab()).show(params);
}

let lab: Lab | undefined;
// without it the lab only needs the network again
keep().catch(() => undefined);
