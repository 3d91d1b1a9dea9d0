// What a browser can open as a tree.
import type { TreeSource } from "../browser";
import type { Opened } from "./messages";

/** The same, as it goes to the worker. */
export function opened(source: TreeSource): Opened {
  if (source instanceof Map) return { files: [...source] };
  if (isFolder(source)) return { folder: source };
  return { files: Array.from(source as Iterable<File>, (file) => [pathOf(file), file]) };
}

function isFolder(source: TreeSource): source is FileSystemDirectoryHandle {
  return "kind" in source && source.kind === "directory";
}

/** Within the chosen folder, whose name comes first. */
function pathOf(file: File): string {
  const path = file.webkitRelativePath;
  return path === "" ? file.name : path.slice(path.indexOf("/") + 1);
}

/** What Chromium has in addition. */
type Item = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

/** See browser.d.ts, which is shipped. */
export async function dropped(data: DataTransfer): Promise<TreeSource | undefined> {
  // all at once: the items are gone after the event
  const items: Item[] = [...data.items].filter((item) => item.kind === "file");
  const handles = items.map((item) => item.getAsFileSystemHandle?.());
  const entries = items.map((item) => item.webkitGetAsEntry?.());
  for (const asked of handles) {
    const handle = await asked?.catch(() => null);
    if (handle?.kind === "directory") return handle as FileSystemDirectoryHandle;
  }
  const folder = entries.find((entry) => entry?.isDirectory);
  if (!folder) return undefined;
  const files = new Map<string, File>();
  await collect(folder as FileSystemDirectoryEntry, "", files);
  return files;
}

async function collect(
  folder: FileSystemDirectoryEntry,
  prefix: string,
  into: Map<string, File>,
): Promise<void> {
  const reader = folder.createReader();
  for (;;) {
    // a hundred at a time, and none when there are no more
    const entries = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
    if (entries.length === 0) return;
    for (const entry of entries) {
      const path = prefix + entry.name;
      if (entry.isDirectory) {
        await collect(entry as FileSystemDirectoryEntry, `${path}/`, into);
      } else {
        const file = new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
        // one that vanished meanwhile is not in the tree
        await file.then((file) => into.set(path, file)).catch(() => undefined);
      }
    }
  }
}
