// A file's text beside its syntax tree: matches are lit in both, and the node that one looks at, too.
import type { SyntaxNode, SyntaxTree } from "../../../host/code/code.js";
import { byId, h } from "../dom.js";
import { rove } from "./answer.js";

const MATCH = "lab-match";
const NODE = "lab-node";
const WRONG = "lab-wrong";

export class Source {
  private tree: SyntaxTree | undefined;
  private readonly text = byId("lab-source");
  private readonly list = byId("lab-nodes");

  constructor() {
    this.list.addEventListener("focusin", ({ target }) => this.look(target));
    this.list.addEventListener("click", ({ target }) => {
      const row = target instanceof Element && target.closest<HTMLElement>("[role=treeitem]");
      if (row) row.focus();
    });
    this.text.addEventListener("click", (event) => this.pointAt(event));
  }

  /** Until a file is shown, or it is said why it is not, what stands there is of another. */
  wait(): void {
    this.list.setAttribute("aria-busy", "true");
  }

  /** Shows a file's tree, at the first match or at a line. */
  show(path: string, tree: SyntaxTree, line?: number): void {
    this.list.removeAttribute("aria-busy");
    const isSame = this.tree?.text === tree.text && byId("lab-path").textContent === path;
    this.tree = tree;
    byId("lab-path").textContent = path;
    byId("lab-shape").textContent =
      `${tree.language} · ${counted(tree.nodes.length + tree.more, "node")}` +
      (tree.matches > 0 ? `, ${counted(tree.matches, "match", "matches")}` : "") +
      (tree.more > 0 ? `; the first ${tree.nodes.length.toLocaleString("en")} are shown` : "");
    if (!isSame) this.text.replaceChildren(document.createTextNode(tree.text));
    this.list.replaceChildren(...tree.nodes.map((node, i) => row(node, i, tree.text)));
    this.list.setAttribute("aria-label", `Syntax tree of ${path}`);
    rove(this.list, "[role=treeitem]");
    this.light(
      MATCH,
      tree.nodes.filter(({ match }) => match),
    );
    this.light(
      WRONG,
      tree.nodes.filter(({ wrong }) => wrong),
    );
    this.light(NODE, []);
    const first = tree.nodes.findIndex(({ match }) => match);
    const at = line === undefined ? tree.nodes[first]?.start : startOfLine(tree.text, line);
    if (at !== undefined) this.bring(at);
    else if (!isSame) this.text.parentElement?.scrollTo(0, 0);
    if (line !== undefined && at !== undefined) this.reveal(this.innermost(at + indent(tree.text, at)));
    else if (first >= 0) this.reveal(first);
    else if (!isSame) this.list.parentElement?.scrollTo(0, 0);
  }

  /** Says why there is no tree. */
  fail(path: string, why: string): void {
    this.list.removeAttribute("aria-busy");
    this.tree = undefined;
    byId("lab-path").textContent = path;
    byId("lab-shape").textContent = why;
    this.text.replaceChildren();
    this.list.replaceChildren();
    for (const name of [MATCH, WRONG, NODE]) this.light(name, []);
  }

  private look(target: EventTarget | null): void {
    const row = target instanceof Element && target.closest<HTMLElement>("[role=treeitem]");
    const node = row && this.tree?.nodes[Number(row.dataset["node"])];
    if (!node) return;
    this.light(NODE, [node]);
    this.bring(node.start);
  }

  /** The node of the place in the text that was clicked. */
  private pointAt({ clientX, clientY }: MouseEvent): void {
    const at = document.caretPositionFromPoint?.(clientX, clientY);
    if (!at || at.offsetNode !== this.text.firstChild) return;
    const index = this.innermost(at.offset);
    this.reveal(index);
    const node = this.tree?.nodes[index];
    if (node) this.light(NODE, [node]);
  }

  /** The smallest node that holds this place. */
  private innermost(at: number): number {
    let found = 0;
    this.tree?.nodes.forEach(({ start, end }, i) => {
      if (start <= at && at < end) found = i;
    });
    return found;
  }

  /** Scrolls the list, and nothing around it, to a node; it is where the Tab key gets to. */
  private reveal(index: number): void {
    const row = this.list.children[index];
    if (!(row instanceof HTMLElement)) return;
    for (const other of this.list.querySelectorAll<HTMLElement>("[tabindex='0']")) other.tabIndex = -1;
    row.tabIndex = 0;
    const holder = this.list.parentElement;
    const above = row.getBoundingClientRect().top - this.list.getBoundingClientRect().top;
    holder?.scrollTo(0, above - holder.clientHeight / 3);
    for (const other of this.list.querySelectorAll(".here")) other.classList.remove("here");
    row.classList.add("here");
  }

  /** Scrolls the text to a place in it. */
  private bring(at: number): void {
    const range = this.range(at, at + 1);
    const holder = this.text.parentElement;
    if (!range || !holder) return;
    const { top } = range.getBoundingClientRect();
    const frame = holder.getBoundingClientRect();
    if (top >= frame.top && top < frame.bottom - 24) return;
    holder.scrollTo(0, holder.scrollTop + top - frame.top - holder.clientHeight / 3);
  }

  /** Without an effect in browsers that can't light ranges: the tree's rows show it all the same. */
  private light(name: string, nodes: SyntaxNode[]): void {
    if (!("highlights" in CSS)) return;
    const ranges = nodes
      .map(({ start, end }) => this.range(start, end))
      .filter((range) => range !== undefined);
    CSS.highlights.set(name, new Highlight(...ranges));
  }

  private range(start: number, end: number): Range | undefined {
    const text = this.text.firstChild;
    if (!(text instanceof Text) || start > text.length) return undefined;
    const range = document.createRange();
    range.setStart(text, start);
    range.setEnd(text, Math.min(end, text.length));
    return range;
  }
}

const SHOWN_CHARS = 48;

function row({ kind, field, depth, start, end, match, wrong }: SyntaxNode, index: number, text: string) {
  const shown = text.slice(start, Math.min(end, start + SHOWN_CHARS)).split("\n")[0] ?? "";
  return h(
    "li",
    {
      role: "treeitem",
      "aria-level": depth + 1,
      "data-node": index,
      class: match ? "match" : wrong ? "wrong" : undefined,
      style: `--depth: ${depth}`,
    },
    field && h("span", { class: "field" }, `${field}: `),
    h("span", { class: "kind" }, kind),
    match && h("span", { class: "tag" }, "match"),
    wrong && h("span", { class: "tag" }, "error"),
    h("span", { class: "what" }, shown),
  );
}

function startOfLine(text: string, line: number): number {
  let at = 0;
  for (let i = 1; i < line; i++) {
    const next = text.indexOf("\n", at);
    if (next < 0) return at;
    at = next + 1;
  }
  return at;
}

const indent = (text: string, at: number) => /^[ \t]*/.exec(text.slice(at, at + 200))?.[0].length ?? 0;

const counted = (count: number, one: string, many = `${one}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
