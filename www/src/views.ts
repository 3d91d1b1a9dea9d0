// The page's two parts, the theatre and the lab, and which of them the address asks for. The lab is loaded when it is first
// asked for.
import { byId } from "./dom.js";

const TITLES = {
  theatre: {
    title: "Mission theatre",
    about: "The engine of OpenCode Orchestrator and a simulated OpenCode, in this page. Nothing leaves it.",
  },
  lab: {
    title: "Code lab",
    about: "The search and syntax tools of OpenCode Orchestrator, in this page. Nothing leaves it.",
  },
};
const LAB = "#view=lab";

/** Whether the address asks for the lab. */
const wantsLab = () => new URLSearchParams(location.hash.slice(1)).get("view") === "lab";

interface Host {
  /** Opens what the address says in the theatre. */
  theatre(): void;
  /** The theatre is left. */
  leave(): void;
  fail(text: string): void;
}

/** Shows what the address asks for, now and from now on. */
export function setUpViews(host: Host): void {
  const route = () => {
    const isLab = wantsLab();
    turn(isLab);
    if (isLab) host.leave();
    if (isLab) void showLab(host);
    else host.theatre();
  };
  byId("to-theatre").addEventListener("click", (event) => {
    event.preventDefault();
    openTheatre();
  });
  byId("skip").addEventListener("click", () => byId(wantsLab() ? "lab-stage" : "stage").focus());
  addEventListener("hashchange", ({ oldURL }) => {
    if (wantsLab() && !byId("layout").hidden) theatreHash = new URL(oldURL).hash;
    route();
  });
  if (wantsLab()) route();
}

/** The theatre's address while the lab is shown. */
let theatreHash = "";

/** Shows the theatre as it was left. */
export function openTheatre(): void {
  if (!wantsLab()) return;
  history.pushState(null, "", theatreHash || location.pathname);
  turn(false);
}

/** Opens the lab with these settings in it; it is there when this is done. */
export async function openLab(settings: Record<string, string>): Promise<void> {
  const hash = `${LAB}&${new URLSearchParams(settings)}`;
  if (location.hash !== hash) {
    const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    location.hash = hash;
    await changed;
  }
  await showing;
}

function turn(isLab: boolean): void {
  const { title, about } = TITLES[isLab ? "lab" : "theatre"];
  byId("title").textContent = title;
  byId("about-view").textContent = about;
  document.title = `OpenCode Orchestrator – ${title.toLowerCase()}`;
  byId("layout").hidden = isLab;
  byId("keys").hidden = isLab;
  byId("lab").hidden = !isLab;
  for (const [id, isHere] of Object.entries({ "to-theatre": !isLab, "to-lab": isLab })) {
    if (isHere) byId(id).setAttribute("aria-current", "page");
    else byId(id).removeAttribute("aria-current");
  }
}

let showing: Promise<void> = Promise.resolve();

function showLab({ fail }: Host): Promise<void> {
  const params = new URLSearchParams(location.hash.slice(1));
  showing = import("./lab/lab.js").then(
    (lab) => lab.show(params),
    () => fail("The code lab could not be loaded. Is there a network?"),
  );
  return showing;
}
