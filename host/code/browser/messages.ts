// What the library and its worker say to each other.
import type { Answer, Artefact } from "../instance";

/** Files by path, or a folder to look into. */
export type Opened =
  { files: [path: string, file: Uint8Array | Blob][] } | { folder: FileSystemDirectoryHandle };

/** What the worker is told: first which tree it is, then requests, and that nobody waits for one any more. */
export type Order =
  | { open: Opened; options: unknown }
  | { id: number; artefact: Artefact; method: string; args: string }
  | { cancel: number }
  | { refresh: true };

/** What it tells. */
export interface Told {
  id: number;
  /** None to a request that was cancelled. */
  answer: Answer | undefined;
  memoryBytes: number;
}
