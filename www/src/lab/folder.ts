// Where a tree comes from: the directory picker, an input where there is none, a drop, or the sample.
import type { TreeSource } from "../../../host/code/browser.js";
import { dropped } from "../../../host/code/browser/library.js";
import { byId } from "../dom.js";

export interface Chosen {
  name: string;
  source: TreeSource;
  isSample: boolean;
}

/** Chromium's; others have the input. */
type Picker = { showDirectoryPicker?(options: { mode: "read" }): Promise<FileSystemDirectoryHandle> };

/** Sets the ways to open a folder up; `open` gets what was chosen, `fail` what went wrong in words. */
export function setUpFolder(open: (chosen: Chosen) => void, fail: (text: string) => void): void {
  const input = byId<HTMLInputElement>("lab-input");
  byId("lab-open").addEventListener("click", () => void pick());
  byId("lab-sample").addEventListener("click", () => void openSample());
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    const name = files[0]?.webkitRelativePath.split("/")[0];
    if (files.length > 0) open({ name: name || "The folder", source: files, isSample: false });
    input.value = ""; // the same folder can be chosen again
  });
  document.addEventListener("drop", ({ dataTransfer }) => {
    if (byId("lab").hidden || !dataTransfer) return;
    const name = dataTransfer.items[0]?.webkitGetAsEntry?.()?.name ?? "The folder";
    void dropped(dataTransfer).then(
      (source) => (source ? open({ name, source, isSample: false }) : fail("Drop a folder, not a file.")),
      () => fail(`${name} can't be read.`),
    );
  });

  async function pick(): Promise<void> {
    const { showDirectoryPicker } = window as Picker;
    if (!showDirectoryPicker) return input.click();
    try {
      const folder = await showDirectoryPicker.call(window, { mode: "read" });
      open({ name: folder.name || "The folder", source: folder, isSample: false });
    } catch (error) {
      // nothing was picked
      if (error instanceof DOMException && error.name === "AbortError") return;
      fail("The browser does not let this page open a folder. Drop one on the page instead.");
    }
  }

  async function openSample(): Promise<void> {
    try {
      open(await sample());
    } catch {
      fail(
        "The sample could not be loaded. Is there a network? A folder of your own can be opened without one.",
      );
    }
  }
}

/** A part of this program's own sources, and three files that are broken on purpose. */
export async function sample(): Promise<Chosen> {
  const response = await fetch(new URL("./sample.json", import.meta.url));
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const files = (await response.json()) as Record<string, string>;
  const encoder = new TextEncoder();
  const source = new Map(Object.entries(files).map(([path, text]) => [path, encoder.encode(text)]));
  return { name: "The sample", source, isSample: true };
}
