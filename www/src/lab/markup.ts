// The lab's elements, made when it is first looked at.
import { h } from "../dom.js";
import type { Tool } from "./tools.js";

export function markup(tools: Tool[]): HTMLElement[] {
  return [
    h(
      "nav",
      { "aria-label": "Folder and tools" },
      h(
        "section",
        { class: "panel", id: "lab-folder" },
        h("h2", {}, "Folder"),
        h("p", { id: "lab-name", role: "status" }, "Loading the sample"),
        h("p", { id: "lab-about", class: "quiet" }),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", id: "lab-open" }, "Open a folder…"),
          h("button", { type: "button", id: "lab-sample" }, "Sample"),
        ),
        h("p", { class: "quiet" }, "Or drop one on the page. It is read here and goes nowhere."),
        h("input", {
          type: "file",
          id: "lab-input",
          webkitdirectory: true,
          hidden: true,
          "aria-label": "Folder",
        }),
        h("p", { id: "lab-trouble", role: "alert", hidden: true }),
      ),
      h(
        "section",
        { class: "panel", id: "lab-tools" },
        h("h2", {}, "Tool"),
        h(
          "div",
          { class: "choices", role: "radiogroup", "aria-label": "Tool" },
          ...tools.map(({ id, title }) =>
            h("label", {}, h("input", { type: "radio", name: "tool", value: id, id: `tool-${id}` }), title),
          ),
        ),
      ),
    ),
    h(
      "main",
      { id: "lab-stage", tabindex: -1 },
      h(
        "section",
        { class: "panel", id: "lab-question", "aria-label": "Question" },
        h("p", { class: "quiet", id: "lab-tool-about" }),
        h("form", { id: "lab-fields" }),
        h("p", { id: "lab-said", role: "status" }),
      ),
      h(
        "div",
        { id: "lab-panels" },
        h(
          "section",
          { class: "panel", id: "lab-answer-panel" },
          h("h2", {}, "Answer ", h("span", { class: "count" }, "as an agent reads it")),
          scroll("Answer", h("ul", { id: "lab-answer", class: "plain lines" })),
        ),
        h(
          "section",
          { class: "panel", id: "lab-tree-panel" },
          h("h2", {}, "Syntax tree ", h("span", { class: "count", id: "lab-path" })),
          h("p", { class: "quiet", id: "lab-shape" }),
          scroll("Source", h("pre", { id: "lab-source" })),
          scroll("Syntax tree", h("ul", { id: "lab-nodes", class: "plain", role: "tree" })),
        ),
      ),
    ),
  ];
}

const scroll = (label: string, child: HTMLElement) =>
  h("div", { class: "scroll", role: "region", "aria-label": label, tabindex: 0 }, child);
