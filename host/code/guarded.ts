// Files without those at which an instance was lost: they can't be read until they change.
import type { Files } from "./instance";
import { STAT_NUMBERS } from "./stats";

/** As src/wasm/code.rs reads it: the file is there and can't be read. */
const UNREADABLE = -4;
/** Likewise: there is nobody to watch it. */
const UNWATCHED = -4;
/** Likewise: what happened is not known. */
const UNKNOWN = "!";
/** Likewise. */
const [NO_SCOUT, NONE_BACK, NOT_OPEN] = [-1, -1, -1];

export class GuardedFiles implements Files {
  /** The files that cost an instance, by path, as they were. */
  private readonly fatal = new Map<string, string>();
  /** By its path, or its number among those that were opened ahead. */
  private lastRead: { path: string; latin1: boolean } | number | undefined;

  constructor(private readonly files: Files) {}

  /** An instance begins its work anew. */
  begin(): void {
    this.lastRead = undefined;
  }

  /** The instance was lost: the file that it read last is left out from now on. Whether there is one. */
  blame(): boolean {
    const last = this.lastRead;
    const path = typeof last === "number" ? this.files.scout?.pathAhead(last) : last?.path;
    if (path === undefined) return false;
    const latin1 = typeof last === "object" && last.latin1;
    this.fatal.set(path, this.stateOf(path, latin1));
    return true;
  }

  read(path: string, latin1: boolean, offset: number, into: Uint8Array): number {
    const lost = this.fatal.size > 0 ? this.fatal.get(path) : undefined;
    if (lost !== undefined && lost === this.stateOf(path, latin1)) return UNREADABLE;
    this.lastRead = { path, latin1 };
    return this.files.read(path, latin1, offset, into);
  }

  private stateOf(path: string, latin1: boolean): string {
    const state = new Float64Array(STAT_NUMBERS);
    this.files.stat(path, latin1, state);
    return state.join();
  }

  list(path: string, latin1: boolean): string {
    return this.files.list(path, latin1);
  }

  stat(paths: string, latin1: boolean, into: Float64Array): void {
    this.files.stat(paths, latin1, into);
  }

  real(path: string, latin1: boolean): string | undefined {
    return this.files.real(path, latin1);
  }

  linkedExclude(path: string, latin1: boolean): string | undefined {
    return this.files.linkedExclude(path, latin1);
  }

  surroundings(): string {
    return this.files.surroundings();
  }

  root(): string {
    return this.files.root();
  }

  now(): number {
    return this.files.now();
  }

  watch(path: string, latin1: boolean, types: Uint32Array): number {
    return this.files.watch?.(path, latin1, types) ?? UNWATCHED;
  }

  unwatch(watch: number): void {
    this.files.watcher?.unwatch(watch);
  }

  watchLimit(): number {
    return this.files.watcher?.limit() ?? 0;
  }

  changes(): string {
    return this.files.watcher?.changes() ?? UNKNOWN;
  }

  scoutMemory(): number {
    return this.files.scout?.memory() ?? NO_SCOUT;
  }

  hasScout(): boolean {
    // a file that can't be read is known by its path
    return this.fatal.size === 0 && (this.files.scout?.isThere() ?? false);
  }

  callScout(toSearch: boolean): void {
    this.files.scout?.call(toSearch);
  }

  openAhead(first: number, paths: Uint8Array): boolean {
    return this.files.scout?.openAhead(first, paths) ?? false;
  }

  readAhead(number: number, into: Uint8Array): number {
    if (this.fatal.size > 0) return NOT_OPEN;
    this.lastRead = number;
    return this.files.scout?.readAhead(number, into) ?? NOT_OPEN;
  }

  send(number: number, parcel: Uint8Array): void {
    this.files.scout?.send(number, parcel);
  }

  hasBegun(sent: number): boolean {
    return this.files.scout?.hasBegun(sent) ?? false;
  }

  takeBack(sent: number): number {
    return this.files.scout?.takeBack(sent) ?? NONE_BACK;
  }

  receive(waitMs: number): string | undefined {
    return this.files.scout?.receive(waitMs);
  }

  settle(): Promise<void> | undefined {
    return this.files.watcher?.settle();
  }

  close(): void {
    this.files.watcher?.close();
  }

  rest(): void {
    this.files.rest?.();
  }
}
