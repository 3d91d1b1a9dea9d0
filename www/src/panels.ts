// The panels below the timeline: roadmap and budget, the reason of the last decision, sessions and timers, the event.
import { byId, h, redraw, spoken } from "./dom.js";
import type { Overview, Picture, SessionPicture, Why } from "./generated/theatre.js";

const MARKS = { completed: "✓", cancelled: "–", in_progress: "▸", pending: "" } as const;
const WORDS = {
  completed: "done",
  cancelled: "cancelled",
  in_progress: "in progress",
  pending: "open",
} as const;

export function showRoadmap({ mission, ceilings }: Picture): void {
  const todos = mission?.todos ?? [];
  const done = todos.filter(({ status }) => status === "completed" || status === "cancelled").length;
  byId("done").textContent = todos.length > 0 ? `${done} of ${todos.length}` : "";
  redraw(byId("todos"), todos, () =>
    todos.length === 0
      ? [h("li", { class: "empty" }, "No todo list yet: the agent writes one in its first turn.")]
      : todos.map(({ content, status }) =>
          h(
            "li",
            { class: `todo ${status}` },
            h("span", { class: "box", "aria-hidden": "true" }, MARKS[status]),
            h("span", { class: "what" }, content),
            h("span", { class: "state" }, WORDS[status]),
          ),
        ),
  );
  const { iteration = 0, activeMs = 0, tokens = 0 } = mission ?? {};
  redraw(byId("budget"), [iteration, activeMs, tokens, ceilings], () => [
    meter("Continuations", iteration, ceilings.iterations),
    meter("Active minutes", activeMs / 60_000, ceilings.minutes),
    meter("Tokens", tokens, ceilings.tokens),
  ]);
}

function meter(name: string, value: number, most: number): HTMLElement {
  const round = (number: number) => Math.round(number).toLocaleString("en");
  const share = Math.min(1, value / Math.max(1, most));
  const bar = h("span", { class: "bar", "aria-hidden": "true" });
  bar.append(h("span", { style: `inline-size:${(share * 100).toFixed(1)}%` }));
  return h("div", {}, h("dt", {}, name), h("dd", {}, `${round(value)} of ${round(most)}`, bar));
}

export function showSessions(picture: Picture, overview: Overview): void {
  const { sessions, timers, tasks, leaks } = picture;
  byId("leaks").textContent = leaks === 0 ? "no leaks" : `${leaks} leaked`;
  byId("leaks").classList.toggle("bad", leaks > 0);
  const children = (parent: string | null): SessionPicture[] =>
    sessions.filter((session) => session.parent === parent);
  const branch = (session: SessionPicture): HTMLElement => {
    const task = tasks.find(({ session: id }) => id === session.id);
    const below = children(session.id);
    return h(
      "li",
      { class: session.leaked ? "leaked" : undefined },
      h(
        "span",
        { class: "node" },
        h("span", { class: `dot ${session.state}`, "aria-hidden": "true" }),
        h("code", {}, session.id),
        h("span", { class: "quiet" }, [session.agent, task ? `t${task.id}` : ""].filter(Boolean).join(" · ")),
        h("span", { class: "state" }, session.leaked ? "leaked" : session.state),
      ),
      below.length > 0 && h("ul", {}, ...below.map(branch)),
    );
  };
  const owners = tasks.map(({ id, session }) => [id, session]);
  redraw(byId("sessions"), [sessions, owners], () => children(null).map(branch));
  redraw(byId("timers"), timers, () =>
    timers.length === 0
      ? [h("li", { class: "empty" }, "No timer is armed.")]
      : timers.map((timer) =>
          h(
            "li",
            { class: timer.leaked ? "node leaked" : "node" },
            h("span", {}, `${timer.owner}: ${timer.purpose}`),
            h("span", { class: "state" }, timer.leaked ? "leaked" : `in ${spoken(timer.due)}`),
          ),
        ),
  );
  const open = tasks.filter(({ state }) => !ENDED.has(state)).length;
  byId("tasks").textContent =
    tasks.length === 0 ? "None delegated so far." : `${open} open, ${tasks.length - open} ended.`;
  byId("limit").textContent = picture.limits.map((key) => limitLine(key, picture.capacity)).join(" ");
  byId("plot-now").textContent = plotLine(overview, picture.n);
}

const ENDED = new Set<string>(["done", "failed", "cancelled", "timedOut"]);

function limitLine(key: Picture["limits"][number], capacity: number | null): string {
  const takes = capacity === null ? "" : ` The provider takes ${capacity}.`;
  return `${key.inFlight} of ${key.limit} in flight, ${key.waiting} waiting: ${key.why}.${takes}`;
}

function plotLine({ levels }: Overview, moment: number): string {
  const level = levels.filter(({ n }) => n <= moment).at(-1)?.value;
  if (!level) return "";
  const capacity = level.capacity === null ? "" : ` · capacity ${level.capacity}`;
  return `limit ${level.limit} · in flight ${level.inFlight}${capacity} · ${STATES[level.state]}`;
}

const STATES = { open: "open", paused: "paused", breaker: "breaker open", probing: "probing" } as const;

/** The decisions up to now, newest first; `seek` goes to the moment of one. */
export function showWhy({ why, n: moment }: Picture, seek: (moment: number) => void): void {
  const [last, ...earlier] = why.newest;
  redraw(byId("why-now"), [last, last?.n === moment], () => [
    last
      ? reason(last, moment)
      : h("p", { class: "empty" }, "Nothing was decided yet. Press play, or step forward."),
  ]);
  byId("why-count").textContent = `${why.past} of ${why.of}`;
  redraw(byId("why-list"), earlier, () =>
    earlier.map(({ n, rule, text, at }) => {
      const button = h(
        "button",
        { type: "button" },
        h("span", { class: "rule-name" }, rule),
        h("span", { class: "what" }, text),
        h("span", { class: "state" }, spoken(at)),
      );
      button.addEventListener("click", () => seek(n));
      return h("li", {}, button);
    }),
  );
}

function reason(why: Why, moment: number): HTMLElement {
  return h(
    "div",
    { class: why.n === moment ? "reason fresh" : "reason" },
    h(
      "p",
      {},
      h("span", { class: "rule-name" }, why.rule),
      " ",
      h("span", { class: "quiet" }, `after ${spoken(why.at)}`),
    ),
    h("p", { class: "decided" }, why.text),
    h("p", { class: "law" }, why.law),
    h(
      "dl",
      { class: "facts" },
      ...why.facts.flatMap(({ name, value }) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );
}

export function showEvent(picture: Picture): void {
  const { happened, notes, notices } = picture;
  const line = (arrow: string, name: string, text: string) =>
    h(
      "li",
      {},
      h("span", { class: "arrow", "aria-hidden": "true" }, arrow),
      h("span", {}, h("b", {}, name), " ", h("code", {}, text)),
    );
  redraw(byId("event"), [notes, happened], () =>
    happened.length === 0 && notes.length === 0
      ? [h("li", { class: "empty" }, "Before the first event.")]
      : [
          ...notes.map((note) => line("!", "world", note)),
          ...happened.flatMap(({ event, effects }) => [
            line("→", event.name, event.text),
            ...effects.map(({ name, text }) => line("←", name, text)),
          ]),
        ],
  );
  redraw(byId("notices"), notices, () =>
    notices.length === 0
      ? [h("li", { class: "empty" }, "Nothing yet.")]
      : notices.map(({ at, text }) =>
          h("li", { class: "node" }, h("span", {}, text), h("span", { class: "state" }, spoken(at))),
        ),
  );
}
