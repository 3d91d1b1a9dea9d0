// The flight recorder: a journal chosen or dropped on the page. It is read here and goes nowhere.
import { byId, h } from "./dom.js";
import { type Recorded, record } from "./module.js";

interface Host {
  open(recording: Recorded, name: string): void;
  fail(text: string): void;
  seek(moment: number): void;
}

export function setUpRecorder(host: Host): void {
  const input = byId<HTMLInputElement>("file");
  const reading = byId("reading");
  let newest = 0;

  async function read(file: File): Promise<void> {
    const mine = ++newest;
    try {
      const recording = await record(file, (share) => {
        if (mine === newest) reading.textContent = `Reading ${file.name}: ${Math.round(share * 100)} %`;
      });
      if (mine !== newest) return recording.free(); // another file was chosen meanwhile
      host.open(recording, file.name);
      showDifferences(recording, host);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (mine === newest) host.fail(`${file.name} can't be opened: ${why}.`);
    }
    if (mine === newest) reading.textContent = "";
  }

  byId("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) void read(file);
    input.value = ""; // the same file can be chosen again
  });
  const over = (event: DragEvent, dropping: boolean) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", dropping);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, false));
  document.addEventListener("drop", (event) => {
    over(event, false);
    if (byId("layout").hidden) return; // the lab takes folders
    const file = event.dataTransfer?.files[0];
    if (file) void read(file);
  });
}

function showDifferences({ differences }: Recorded, { seek }: Host): void {
  byId("differences").hidden = false;
  byId("differences-none").hidden = differences.length > 0;
  byId("differences-list").replaceChildren(
    ...differences.map(({ n, recorded, today }) => {
      const text = recorded ? `Only in the journal: ${recorded}` : `Only by today's rules: ${today ?? ""}`;
      const button = h("button", { type: "button" }, text);
      button.addEventListener("click", () => seek(n));
      return h("li", {}, button);
    }),
  );
}

export function hideDifferences(): void {
  byId("differences").hidden = true;
}
