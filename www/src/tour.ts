// A minute for a newcomer: seven stops, each a place in a story, or in the lab, and the panel to look at.
import { byId } from "./dom.js";

type Stop = { title: string; text: string; panel: string } & (
  | {
      story: string;
      /** How far into the story, from 0 to 1. */
      at: number;
    }
  | {
      /** What is typed in the lab. */
      lab: Record<string, string>;
    }
);

const STOPS: Stop[] = [
  {
    title: "A mission",
    text: "Someone typed /task with an objective. The agent wrote a roadmap of todos, and from now on the plugin keeps the session going until all of them are done.",
    panel: "roadmap-panel",
    story: "happy",
    at: 0.3,
  },
  {
    title: "The run at a glance",
    text: "Each turn of the session, each continuation, each wait and each disturbance, from left to right. Drag over it, or press play.",
    panel: "time-panel",
    story: "happy",
    at: 0.6,
  },
  {
    title: "Every decision says why",
    text: "This agent goes in circles. The rule that noticed it, what the rule is for and the facts that it saw are all here.",
    panel: "why-panel",
    story: "stuck",
    at: 0.85,
  },
  {
    title: "Sub-agents never storm",
    text: "Nine sub-agents, a provider that takes three. The line is the limit: it falls at a refusal and grows when the provider takes more.",
    panel: "time-panel",
    story: "storm",
    at: 0.5,
  },
  {
    title: "Nothing is left behind",
    text: "Every session and every timer has an owner and goes with it. A leak would be red here; after a crash, too, there is none.",
    panel: "owner-panel",
    story: "crash",
    at: 0.6,
  },
  {
    title: "The tools that agents get",
    text: "Search, syntax patterns, outlines and diagnostics, live, over a folder of yours or this sample. Type a pattern: what it matches is lit in the file and in its syntax tree.",
    panel: "lab-panels",
    lab: { tool: "ast_search", pattern: "Some($A)" },
  },
  {
    title: "Your turn",
    text: "Choose a story, move a slider, change the seed. The address bar keeps all of it: send the link, and others see the same run to the last event.",
    panel: "settings-panel",
    story: "happy",
    at: 0,
  },
];

/** Sets the tour up; `go` opens a story at a share of its length, `goToLab` the lab. */
export function setUpTour(
  go: (story: string, share: number) => void,
  goToLab: (settings: Record<string, string>) => Promise<void>,
): void {
  let step = -1;
  const dialog = byId("tour");

  function show(next: number): void {
    document.querySelector(".toured")?.classList.remove("toured");
    const stop = STOPS[next];
    const before = step;
    step = stop ? next : -1;
    dialog.hidden = !stop;
    if (!stop) {
      if (before >= 0) byId("tour-start").focus();
      return;
    }
    byId("tour-title").textContent = stop.title;
    byId("tour-text").textContent = stop.text;
    byId("tour-step").textContent = `${next + 1} of ${STOPS.length}`;
    byId("tour-next").textContent = next + 1 === STOPS.length ? "Done" : "Next";
    if ("lab" in stop) void goToLab(stop.lab).then(() => step === next && point(stop.panel));
    else {
      go(stop.story, stop.at);
      point(stop.panel);
    }
    byId("tour-title").focus({ preventScroll: true });
  }

  function point(id: string): void {
    // the lab may have failed to load
    const panel = document.getElementById(id);
    panel?.classList.add("toured");
    panel?.scrollIntoView({ block: "nearest" });
  }

  byId("tour-start").addEventListener("click", () => show(0));
  byId("tour-next").addEventListener("click", () => show(step + 1));
  byId("tour-close").addEventListener("click", () => show(STOPS.length));
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(STOPS.length);
  });
}
