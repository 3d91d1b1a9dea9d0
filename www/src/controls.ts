// The stories and the sliders.
import { byId, h } from "./dom.js";
import { NUMBERS, type NumberName } from "./link.js";
import type { Settings, Story } from "./generated/theatre.js";

const SLIDERS: Record<NumberName, { name: string; from: number; to: number; unit?: string }> = {
  seed: { name: "Seed", from: 0, to: 4_294_967_295 },
  agents: { name: "Sub-agents at a time", from: 0, to: 12 },
  todos: { name: "Todos", from: 1, to: 20 },
  step: { name: "Longest step", from: 1, to: 120, unit: " s" },
  limit: { name: "Limit the user sets", from: 1, to: 32 },
  capacity: { name: "The provider takes", from: 1, to: 32 },
  latency: { name: "Longest first output", from: 1, to: 60, unit: " s" },
  failures: { name: "Sub-agents that fail", from: 0, to: 100, unit: " %" },
  faults: { name: "Faults at the boundary", from: 0, to: 100, unit: " %" },
};

export function showStories(stories: Story[], choose: (story: string) => void): void {
  byId("stories").replaceChildren(
    ...stories.map(({ id, title }) => {
      const input = h("input", { type: "radio", name: "story", value: id });
      input.addEventListener("change", () => choose(id));
      return h("label", {}, input, title);
    }),
  );
}

export function markStory(story: string | undefined): void {
  for (const input of byId("stories").querySelectorAll("input")) input.checked = input.value === story;
}

/** Makes the sliders; `change` hears of the one that was moved. */
export function makeSettings(change: (name: NumberName, value: number) => void): void {
  byId("settings").addEventListener("submit", (event) => event.preventDefault());
  byId("settings").replaceChildren(
    ...NUMBERS.map((name) => {
      const { name: label, from, to } = SLIDERS[name];
      const type = name === "seed" ? "number" : "range";
      const input = h("input", { type, min: from, max: to, id: `set-${name}` });
      input.addEventListener("input", () => {
        if (input.value !== "" && input.validity.valid) change(name, Number(input.value));
      });
      return h("label", { for: `set-${name}` }, label, h("output", { for: `set-${name}` }), input);
    }),
  );
}

/** Shows the settings as they are, `settings` having none absent. */
export function showSettings(settings: Settings): void {
  for (const name of NUMBERS) {
    const input = byId<HTMLInputElement>(`set-${name}`);
    const value = String(settings[name] ?? 0);
    if (document.activeElement !== input || input.type === "range") input.value = value;
    const output = input.parentElement?.querySelector("output");
    if (output && name !== "seed") output.textContent = `${value}${SLIDERS[name].unit ?? ""}`;
  }
}
