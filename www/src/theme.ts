// Light or dark: as the system has it, until the person says otherwise.
import { byId } from "./dom.js";

const CHOICES = ["auto", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];
const KEY = "theme";

export function setUpTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let choice = stored();
  const apply = () => {
    const theme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
    document.documentElement.dataset["theme"] = theme;
    byId("theme").textContent = `Colours: ${choice}`;
  };
  byId("theme").addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] ?? "auto";
    keep(choice);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

// A page may be denied its storage: the choice then holds until it is left.
function stored(): Choice {
  try {
    const value = localStorage.getItem(KEY);
    return CHOICES.find((choice) => choice === value) ?? "auto";
  } catch {
    return "auto";
  }
}

function keep(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // see above
  }
}
