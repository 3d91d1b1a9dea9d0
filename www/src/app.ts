// The page: which run is open, and what is drawn of it. All that is shown was decided in Rust; see module.ts.
import { Chart } from "./chart.js";
import { makeSettings, markStory, showSettings, showStories } from "./controls.js";
import { byId, spoken } from "./dom.js";
import { type Place, readLink, writeLink } from "./link.js";
import { type Recorded, type Run, load, play } from "./module.js";
import { showEvent, showRoadmap, showSessions, showWhy } from "./panels.js";
import { Player } from "./player.js";
import { hideDifferences, setUpRecorder } from "./recorder.js";
import { setUpTheme } from "./theme.js";
import { setUpTour } from "./tour.js";
import { setUpTransport, showTransport } from "./transport.js";
import type { Picture, Settings, Story } from "./generated/theatre.js";
import { openLab, openTheatre, setUpViews } from "./views.js";

function start(stories: Story[]): void {
  let place = readLink(location.hash);
  let run: Run = play(place.settings);
  /** The name of the file, when a recording is shown. */
  let recorded: string | undefined;
  const player = new Player(draw);
  const chart = new Chart(byId("chart"), (moment) => player.seek(moment));

  function open(next: Place): void {
    place = next;
    recorded = undefined;
    run.free();
    run = play(next.settings);
    show();
  }

  function openRecording(next: Recorded, name: string): void {
    recorded = name;
    run.free();
    run = next;
    show();
  }

  function show(): void {
    const { overview } = run;
    complain();
    byId("settings-panel").hidden = recorded !== undefined;
    byId("recorder-panel").classList.toggle("shown", recorded !== undefined);
    if (recorded === undefined) {
      place.settings.story = overview.settings.story;
      markStory(overview.settings.story);
      showSettings(overview.settings);
      hideDifferences();
    } else {
      markStory(undefined);
    }
    const story = stories.find(({ id }) => id === overview.settings.story);
    byId("about").textContent = recorded ? `Recording: ${recorded}` : (story?.about ?? "");
    chart.show(overview);
    player.open(overview.total, recorded ? 0 : place.at);
  }

  function draw(): void {
    const picture = run.jump(player.moment);
    chart.moveTo(player.moment);
    showTransport(player);
    showState(picture);
    showRoadmap(picture);
    showWhy(picture, (moment) => player.seek(moment));
    showSessions(picture, run.overview);
    showEvent(picture);
    if (player.playing) return;
    say(picture);
    if (recorded || byId("layout").hidden) return;
    place.at = player.moment;
    history.replaceState(null, "", writeLink(place));
  }

  const settings = (change: Partial<Settings>) => open({ settings: { ...place.settings, ...change } });
  showStories(stories, (story) => open({ settings: { story } }));
  makeSettings((name, value) => settings({ [name]: value }));
  byId("reset").addEventListener("click", () => open({ settings: { story: place.settings.story } }));
  byId("copy").addEventListener("click", () => void copyLink());
  setUpViews({
    theatre: () => open(readLink(location.hash)),
    leave: () => player.seek(player.moment),
    fail: complain,
  });
  setUpTransport(player);
  setUpRecorder({
    open: openRecording,
    fail: complain,
    seek: (moment) => player.seek(moment),
  });
  setUpTour((story, share) => {
    openTheatre();
    open({ settings: { story } });
    player.seek(Math.round(run.overview.total * share));
  }, openLab);
  // for tests: the text that the module gave
  Object.assign(globalThis, {
    theatre: { text: (moment: number) => run.text(moment), overview: () => run.overview },
  });
  // on a narrow page the mission comes first
  byId<HTMLDetailsElement>("settings-fold").open = matchMedia("(min-width: 1181px)").matches;
  show();
  document.documentElement.dataset["ready"] = "";
  performance.mark("ready");
}

/** The newest decision of a paused run, for those who listen to the page. */
function say({ n, why }: Picture): void {
  const newest = why.newest[0];
  byId("said").textContent = newest ? `Event ${n}. ${newest.rule}: ${newest.text}` : `Event ${n}.`;
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

/** Says what went wrong; without a text, that all is well. */
function complain(text = ""): void {
  const element = byId("error");
  element.textContent = text;
  element.hidden = text === "";
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
