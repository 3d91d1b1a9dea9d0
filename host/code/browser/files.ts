// The module's Files callbacks in a browser's worker: synchronous, as the module wants them, over files that were given as
// bytes or blobs. A picked folder can be listed asynchronously only, and many files are read several times faster
// asynchronously: what the module asks of a folder that was not listed yet, or of a file that was not read yet, is
// answered with an error and noted; the worker has it fetched and does the request again. So folders that ignore files
// exclude are never looked into.
import type { Files } from "../instance";
import { pathsOf, STAT_NUMBERS } from "../stats";
import type { Opened } from "./messages";

const MISSING = -1;
const DENIED = -2;
const KIND = -3;
const FAILED = -4;

/** Contents that are kept here, beside the module's own cache; what is beyond is read synchronously each time. Bytes. */
const KEPT_BYTES = 64 << 20;
/** Files that are fetched before a request is done again: so many at first, then twice as many each time. */
const FIRST_BATCH = 256;
const LAST_BATCH = 4_096;
/** A file that changed so shortly before it was listed may have changed again in the same instant. Milliseconds. */
const RACY_MS = 2_000;

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
  private unread = new Set<Blob>();
  private readonly kept = new Map<Blob, Uint8Array>();
  private readonly failed = new WeakSet<Blob>();
  /** Bytes of what is kept, and of what was asked for to be kept. */
  private keptBytes = 0;
  private batch = FIRST_BATCH;
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

  stat(paths: string, latin1: boolean, into: Float64Array): void {
    for (const [n, path] of pathsOf(paths).entries()) into.set(this.statOne(path, latin1), n * STAT_NUMBERS);
  }

  private statOne(path: string, latin1: boolean): number[] {
    const folder = latin1 ? undefined : this.folders.get(path);
    if (folder) return [1, 0, folder.at, folder.at, 0];
    const leaf = this.leaf(path);
    if (typeof leaf === "number") return [leaf];
    const { data, inode } = leaf;
    const time = data instanceof File ? data.lastModified : 0;
    return [0, data instanceof Blob ? data.size : data.byteLength, time, time, inode];
  }

  read(path: string, latin1: boolean, offset: number, into: Uint8Array): number {
    const leaf = latin1 ? MISSING : this.leaf(path);
    if (typeof leaf === "number") return leaf;
    // ignore files decide where the walk goes: they are never missed
    const isRule = nameOf(path).startsWith(".") || path.includes(".git/");
    if (!isRule && leaf.data instanceof Blob && this.takesNote(leaf.data)) return FAILED;
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

  /** Enough was asked for in vain: to go on with the request is of no use. */
  get isBehind(): boolean {
    return this.unread.size >= this.batch;
  }

  /** Fetches what was asked for in vain. Gives whether there was anything: the request has to be done again. */
  async fetch(): Promise<boolean> {
    const { wanted, unread } = this;
    this.wanted = new Set();
    this.unread = new Set();
    this.batch = unread.size > 0 ? Math.min(LAST_BATCH, this.batch * 2) : FIRST_BATCH;
    await Promise.all([
      ...[...unread].map((data) => this.keep(data)),
      ...[...wanted].map((path) => this.look(path)),
    ]);
    return wanted.size > 0 || unread.size > 0;
  }

  /** Lists anew all folders that were listed. */
  async refresh(): Promise<void> {
    const listed = [...this.folders].filter(([, { handle, state }]) => handle && state !== "unlisted");
    await Promise.all(listed.map(([path]) => this.look(path)));
  }

  private piece(data: Uint8Array | Blob, from: number, to: number): Uint8Array {
    const bytes = data instanceof Blob ? this.kept.get(data) : data;
    if (bytes) return bytes.subarray(from, to);
    return new Uint8Array(this.reader.readAsArrayBuffer((data as Blob).slice(from, to)));
  }

  /** Whether a file is to be fetched first. */
  private takesNote(data: Blob): boolean {
    if (this.unread.has(data)) return true;
    if (this.kept.has(data) || this.failed.has(data) || this.keptBytes + data.size > KEPT_BYTES) return false;
    this.keptBytes += data.size;
    this.unread.add(data);
    return true;
  }

  private async keep(data: Blob): Promise<void> {
    try {
      this.kept.set(data, new Uint8Array(await data.arrayBuffer()));
    } catch {
      // it has changed: reading it will say so
      this.kept.delete(data);
      this.keptBytes -= data.size;
      this.failed.add(data);
    }
  }

  private drop(entry: Leaf | "folder" | undefined): void {
    if (!entry || entry === "folder" || !(entry.data instanceof Blob)) return;
    if (this.kept.delete(entry.data)) this.keptBytes -= entry.data.size;
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
        // one that vanished meanwhile, or may not be read, is not there
        const file = handle
          .getFile()
          .then((data) => entries.set(name, this.taken(data, folder.entries.get(name))));
        files.push(file.catch(() => undefined));
      }
      await Promise.all(files);
      folder.state = "listed";
    } catch {
      folder.state = "denied";
    }
    for (const [name, entry] of folder.entries) {
      if (entries.get(name) === entry) continue;
      this.drop(entry);
      if (entry === "folder") this.forget(below(name));
    }
    folder.entries = entries;
    folder.at = this.now();
  }

  /** A file as it was listed, which is the one before when nothing of it has changed. */
  private taken(data: File, old: Leaf | "folder" | undefined): Leaf {
    if (!old || old === "folder" || !(old.data instanceof File)) return { data, inode: ++this.inodes };
    const { size, lastModified } = old.data;
    const isSettled = this.now() - lastModified > RACY_MS;
    if (isSettled && size === data.size && lastModified === data.lastModified) return old;
    return { data, inode: old.inode };
  }

  private forget(path: string): void {
    for (const [known, { entries }] of this.folders) {
      if (known !== path && !known.startsWith(`${path}/`)) continue;
      for (const entry of entries.values()) this.drop(entry);
      this.folders.delete(known);
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
