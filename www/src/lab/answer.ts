// An answer as agents read it, with the places in it as buttons.
import { h } from "../dom.js";

interface Row {
  text: string;
  /** Where the line leads. */
  path?: string;
  line?: number;
}

/** The answer's lines, and where each leads. */
export function rowsOf(text: string, listsFiles: boolean): Row[] {
  const lines = text.replace(/\n$/, "").split("\n");
  let path: string | undefined;
  return lines.map((text, i) => {
    const named = /^(\S.*?):(\d+):\d+[: ]/.exec(text) ?? /^defined (\S.*?):(\d+)/.exec(text);
    if (named) return { text, path: named[1] ?? "", line: Number(named[2]) };
    const numbered = /^ *(\d+)(?:[-:]\d+)?[-:]?(?: |$)/.exec(text);
    if (numbered && path !== undefined) return { text, path, line: Number(numbered[1]) };
    const isAlone = i === 0 || lines[i - 1] === "";
    if (isAlone && /^ *\d+/.test(lines[i + 1] ?? "")) {
      path = text.replace(/: .*/, "");
      return { text, path };
    }
    if (listsFiles && text !== "" && i < lines.length - 1) return { text, path: text.replace(/: \d+$/, "") };
    const changed = /^\+\+\+ (?:b\/)?(\S.*)$/.exec(text);
    return changed ? { text, path: changed[1] ?? "" } : { text };
  });
}

/** Shows the lines in `list`; `open` is told which place was chosen. */
export function showAnswer(
  list: HTMLElement,
  rows: Row[],
  open: (path: string, line?: number) => void,
): void {
  list.replaceChildren(
    ...rows.map(({ text, path, line }) => {
      const kind = /^\+(?!\+\+)/.test(text) ? "added" : /^-(?!--)/.test(text) ? "removed" : undefined;
      if (path === undefined) return h("li", { class: kind ?? (/^\S/.test(text) && "note") }, text || " ");
      const title = line === undefined ? `Open ${path}` : `Open ${path} at line ${line}`;
      const button = h("button", { type: "button", title, class: line === undefined && "file" }, text);
      button.addEventListener("click", () => open(path, line));
      return h("li", {}, button);
    }),
  );
  rove(list, "button");
}

/** One stop for the Tab key, arrow keys within: for long lists. */
export function rove(list: HTMLElement, selector: string): void {
  const items = () => [...list.querySelectorAll<HTMLElement>(selector)];
  items().forEach((item, i) => (item.tabIndex = i === 0 ? 0 : -1));
  list.onkeydown = (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    const next = to === undefined ? undefined : all[to];
    if (at < 0 || !next) return;
    event.preventDefault();
    for (const item of all) item.tabIndex = item === next ? 0 : -1;
    next.focus();
  };
}
