// The buttons, the slider and the keys that move the player.
import { byId, h } from "./dom.js";
import { type Player, SPEEDS } from "./player.js";

export function setUpTransport(player: Player): void {
  const on = (id: string, act: () => void) => byId(id).addEventListener("click", act);
  on("first", () => player.seek(0));
  on("back", () => player.seek(player.moment - 1));
  on("play", () => player.toggle());
  on("forward", () => player.seek(player.moment + 1));
  on("last", () => player.seek(player.total));
  const scrub = byId<HTMLInputElement>("scrub");
  scrub.addEventListener("input", () => player.seek(Number(scrub.value)));
  const moment = byId<HTMLInputElement>("moment");
  moment.addEventListener("change", () => player.seek(Number(moment.value)));
  const speed = byId<HTMLSelectElement>("speed");
  speed.append(
    ...SPEEDS.map((value) => h("option", { value, selected: value === player.speed }, `${value} events/s`)),
  );
  speed.addEventListener("change", () => (player.speed = Number(speed.value)));
  document.addEventListener("keydown", (event) => {
    if (byId("layout").hidden || event.altKey || event.ctrlKey || event.metaKey || isOccupied(event)) return;
    const step = event.shiftKey ? 10 : 1;
    const keys: Record<string, () => void> = {
      " ": () => player.toggle(),
      ArrowLeft: () => player.seek(player.moment - step),
      ArrowRight: () => player.seek(player.moment + step),
      Home: () => player.seek(0),
      End: () => player.seek(player.total),
    };
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

/** Whether the focused element has a use for the key itself. */
function isOccupied({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.id === "scrub") return false;
  if (target.matches("button, summary, a")) return key === " ";
  if (target.matches(".scroll")) return key !== " " && !key.startsWith("Arrow");
  return target.matches("input, select, textarea");
}

export function showTransport(player: Player): void {
  const scrub = byId<HTMLInputElement>("scrub");
  scrub.max = String(player.total);
  scrub.value = String(player.moment);
  scrub.setAttribute("aria-valuetext", `event ${player.moment} of ${player.total}`);
  const moment = byId<HTMLInputElement>("moment");
  moment.max = String(player.total);
  if (document.activeElement !== moment) moment.value = String(player.moment);
  byId("of").textContent = `of ${player.total}`;
  byId("play").textContent = player.playing ? "Pause" : player.moment === player.total ? "Again" : "Play";
}
