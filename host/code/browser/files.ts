// The module's Files callbacks in a browser's worker: synchronous, as the module wants them, over files that were given as
// bytes or blobs. A picked folder can be listed asynchronously only: what the module asks of one that was not listed yet
// is answered with an error and noted, the worker has it listed and does the request again. So folders that ignore files
// exclude are never looked into.
import type { Files } from "../instance";
import type { Opened } from "./messages";

const MISSING = -1;
const DENIED = -2;
const KIND = -3;
const FAILED = -4;

interface Leaf {
  data: Uint8Array | Blob;
  inode: number;
}

interface Folder {
  /** Of a picked folder: what lists it. */
  handle?: FileSystemDirectoryHandle;
  state: "listed" | "unlisted" | "denied";
  /** By name; folders are found by their paths. */
  entries: Map<string, Leaf | "folder">;
  /** When it was listed. Milliseconds since the Unix epoch. */
  at: number;
}

export class BrowserFiles implements Files {
  private readonly folders = new Map<string, Folder>();
  private readonly reader = new FileReaderSync();
  private wanted = new Set<string>();
  private inodes = 0;

  constructor(source: Opened) {
    const now = this.now();
    if ("folder" in source) {
      this.folders.set("", { handle: source.folder, state: "unlisted", entries: new Map(), at: now });
      return;
    }
    this.folders.set("", { state: "listed", entries: new Map(), at: now });
    for (const [path, data] of source.files) this.add(path, data, now);
  }

  list(path: string, latin1: boolean): string {
    const folder = latin1 ? undefined : this.folders.get(path);
    if (!folder) return `!${this.absent(path)}`;
    if (folder.state !== "listed") return `!${this.unlisted(path, folder)}`;
    let text = "";
    for (const [name, entry] of folder.entries) text += `${entry === "folder" ? "d" : "f"}${bytesOf(name)}/`;
    return text;
  }

  stat(path: string, latin1: boolean, into: Float64Array): number {
    const folder = latin1 ? undefined : this.folders.get(path);
    if (folder) {
      into.set([1, 0, folder.at, folder.at, 0]);
      return 0;
    }
    const leaf = this.leaf(path);
    if (typeof leaf === "number") return leaf;
    const { data, inode } = leaf;
    const time = data instanceof File ? data.lastModified : 0;
    into.set([0, data instanceof Blob ? data.size : data.byteLength, time, time, inode]);
    return 0;
  }

  read(path: string, latin1: boolean, offset: number, into: Uint8Array): number {
    const leaf = latin1 ? MISSING : this.leaf(path);
    if (typeof leaf === "number") return leaf;
    try {
      const bytes = this.piece(leaf.data, offset, offset + into.length);
      into.set(bytes);
      return bytes.length;
    } catch {
      // it has changed since its folder was listed
      this.wanted.add(folderOf(path));
      return FAILED;
    }
  }

  real(path: string, latin1: boolean): string {
    const there = !latin1 && (this.folders.has(path) || typeof this.leaf(path) !== "number");
    return there ? bytesOf(path) : `\0${MISSING}`;
  }

  linkedExclude(): undefined {
    return undefined;
  }

  surroundings(): string {
    return "{}";
  }

  root(): string {
    return "";
  }

  now(): number {
    return Date.now();
  }

  /** Lists the folders that were asked for in vain. Gives whether there were any: the request has to be done again. */
  async listWanted(): Promise<boolean> {
    const { wanted } = this;
    this.wanted = new Set();
    await Promise.all([...wanted].map((path) => this.look(path)));
    return wanted.size > 0;
  }

  /** Lists anew all folders that were listed. */
  async refresh(): Promise<void> {
    const listed = [...this.folders].filter(([, { handle, state }]) => handle && state !== "unlisted");
    await Promise.all(listed.map(([path]) => this.look(path)));
  }

  private piece(data: Uint8Array | Blob, from: number, to: number): Uint8Array {
    if (!(data instanceof Blob)) return data.subarray(from, to);
    return new Uint8Array(this.reader.readAsArrayBuffer(data.slice(from, to)));
  }

  private leaf(path: string): Leaf | number {
    const folder = this.folders.get(folderOf(path));
    if (!folder) return this.absent(path);
    if (folder.state !== "listed") return this.unlisted(folderOf(path), folder);
    const entry = folder.entries.get(nameOf(path));
    return entry === "folder" ? KIND : (entry ?? MISSING);
  }

  /** The error of a path that is not known: missing, unless a folder on its way was not listed yet. */
  private absent(path: string): number {
    for (let above = path; above !== "";) {
      above = folderOf(above);
      const folder = this.folders.get(above);
      if (folder) return folder.state === "listed" ? MISSING : this.unlisted(above, folder);
    }
    return MISSING;
  }

  private unlisted(path: string, { state }: Folder): number {
    if (state === "denied") return DENIED;
    this.wanted.add(path);
    return FAILED;
  }

  private add(path: string, data: Uint8Array | Blob, now: number): void {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === "..")) {
      throw new Error(`${path} is no path of a file in a tree`);
    }
    let at = "";
    for (const name of parts.slice(0, -1)) {
      const known = this.folders.get(at)?.entries;
      at = at === "" ? name : `${at}/${name}`;
      if (this.folders.has(at)) continue;
      known?.set(name, "folder");
      this.folders.set(at, { state: "listed", entries: new Map(), at: now });
    }
    this.folders.get(at)?.entries.set(nameOf(path), { data, inode: ++this.inodes });
  }

  private async look(path: string): Promise<void> {
    const folder = this.folders.get(path);
    if (!folder?.handle) return;
    const below = (name: string) => (path === "" ? name : `${path}/${name}`);
    const entries: Folder["entries"] = new Map();
    const files: Promise<unknown>[] = [];
    try {
      for await (const [name, handle] of folder.handle.entries()) {
        if (isFolder(handle)) {
          entries.set(name, "folder");
          if (!this.folders.has(below(name))) {
            this.folders.set(below(name), { handle, state: "unlisted", entries: new Map(), at: this.now() });
          }
          continue;
        }
        const old = folder.entries.get(name);
        const inode = old && old !== "folder" ? old.inode : ++this.inodes;
        // one that vanished meanwhile, or may not be read, is not there
        const file = handle.getFile().then((data) => entries.set(name, { data, inode }));
        files.push(file.catch(() => undefined));
      }
      await Promise.all(files);
      folder.state = "listed";
    } catch {
      folder.state = "denied";
    }
    for (const [name, entry] of folder.entries) {
      if (entry === "folder" && entries.get(name) !== "folder") this.forget(below(name));
    }
    folder.entries = entries;
    folder.at = this.now();
  }

  private forget(path: string): void {
    for (const known of this.folders.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.folders.delete(known);
    }
  }
}

// a type guard: the lib's handle types are no union
function isFolder(handle: FileSystemHandle): handle is FileSystemDirectoryHandle {
  return handle.kind === "directory";
}

const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
const encoder = new TextEncoder();

/** As the module takes names: a character for each byte of UTF-8. */
function bytesOf(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : String.fromCharCode(...encoder.encode(text));
}
