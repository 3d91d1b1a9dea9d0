// The page: which run is open, and what is drawn of it. All that is shown was decided in Rust; see module.ts.
import { Chart } from "./chart.js";
import { makeSettings, markStory, showSettings, showStories } from "./controls.js";
import { byId, spoken } from "./dom.js";
import { type Place, readLink, writeLink } from "./link.js";
import { type Run, load, play } from "./module.js";
import { showEvent, showRoadmap, showSessions, showWhy } from "./panels.js";
import { Player } from "./player.js";
import { setUpTheme } from "./theme.js";
import { setUpTour } from "./tour.js";
import { setUpTransport, showTransport } from "./transport.js";
import type { Picture, Settings, Story } from "./types.js";

function start(stories: Story[]): void {
  let place = readLink(location.hash);
  let run: Run = play(place.settings);
  const player = new Player(draw);
  const chart = new Chart(byId("chart"), (moment) => player.seek(moment));

  function open(next: Place): void {
    place = next;
    run.free();
    run = play(next.settings);
    show();
  }

  function show(): void {
    const { overview } = run;
    place.settings.story = overview.settings.story;
    markStory(overview.settings.story);
    showSettings(overview.settings);
    byId("about").textContent = stories.find(({ id }) => id === overview.settings.story)?.about ?? "";
    chart.show(overview);
    player.open(overview.total, place.at);
  }

  function draw(): void {
    const picture = run.jump(player.moment);
    chart.moveTo(player.moment);
    showTransport(player);
    showState(picture);
    showRoadmap(picture);
    showWhy(run.overview, player.moment, (moment) => player.seek(moment));
    showSessions(picture, run.overview);
    showEvent(picture);
    if (player.playing) return;
    say(run, player.moment);
    place.at = player.moment;
    history.replaceState(null, "", writeLink(place));
  }

  const settings = (change: Partial<Settings>) => open({ settings: { ...place.settings, ...change } });
  showStories(stories, (story) => open({ settings: { story } }));
  makeSettings((name, value) => settings({ [name]: value }));
  byId("reset").addEventListener("click", () => open({ settings: { story: place.settings.story } }));
  byId("copy").addEventListener("click", () => void copyLink());
  addEventListener("hashchange", () => open(readLink(location.hash)));
  setUpTransport(player);
  setUpTour((story, share) => {
    open({ settings: { story } });
    player.seek(Math.round(run.overview.total * share));
  });
  // for tests: the text that the module gave
  Object.assign(globalThis, {
    theatre: { text: (moment: number) => run.text(moment), overview: () => run.overview },
  });
  // on a narrow page the mission comes first
  byId<HTMLDetailsElement>("settings-fold").open = matchMedia("(min-width: 1181px)").matches;
  show();
  document.documentElement.dataset["ready"] = "";
}

/** The newest decision of a paused run, for those who listen to the page. */
function say({ overview }: Run, moment: number): void {
  const why = overview.decisions.filter(({ n }) => n <= moment).at(-1);
  byId("said").textContent = why ? `Event ${moment}. ${why.rule}: ${why.text}` : `Event ${moment}.`;
}

function showState({ mission, phase, at, alive, violation, notes }: Picture): void {
  const [text, tone] = violation
    ? [`A law is broken: ${violation}`, "bad"]
    : !alive
      ? ["OpenCode is not running", "bad"]
      : mission?.verdict
        ? [mission.verdict, mission.success ? "good" : "bad"]
        : mission?.gate
          ? [`waits for ${mission.gate}`, "wait"]
          : [phase, WAITING.has(mission?.phase ?? "") ? "wait" : ""];
  const element = byId("phase");
  element.textContent = (text ?? "").charAt(0).toUpperCase() + (text ?? "").slice(1);
  element.className = tone ?? "";
  byId("clock").textContent = spoken(at);
  document.body.classList.toggle("troubled", notes.length > 0);
}

const WAITING = new Set<string>(["backingOff", "paused", "suspended"]);

async function copyLink(): Promise<void> {
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address bar";
  }
}

function complain(text: string): void {
  const element = byId("error");
  element.textContent = text;
  element.hidden = false;
}

setUpTheme();
try {
  start(await load());
} catch (error) {
  complain(`The page could not start: ${error instanceof Error ? error.message : String(error)}`);
}
if ("serviceWorker" in navigator) {
  // Without one, as in a private window, the page only needs the network to be loaded again.
  navigator.serviceWorker.register(new URL("./offline.js", import.meta.url)).catch(() => undefined);
}
