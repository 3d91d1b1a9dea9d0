import type { OpenTreeOptions, Tree } from "./code";

export type * from "./code";

/**
 * Files by path (`src/main.ts`); a folder that a person picked (`showDirectoryPicker`, `navigator.storage`); or the files of
 * an `<input type="file" webkitdirectory>`.
 */
export type TreeSource = ReadonlyMap<string, Uint8Array | Blob> | FileSystemDirectoryHandle | Iterable<File>;

export interface BrowserTree extends Tree {
  /** A picked folder may have changed: the next query looks at it anew. */
  refresh(): void;
}

/**
 * Opens a tree. A worker does the work; nothing is loaded or read before the first query. The worker's file and the modules
 * are beside the library's own.
 */
export declare function openTree(
  source: TreeSource,
  options?: Pick<OpenTreeOptions, "memoryMb">,
): BrowserTree;

/** The folder that was dropped on a page, if it was one. To be called in the `drop` event itself. */
export declare function dropped(data: DataTransfer): Promise<TreeSource | undefined>;
