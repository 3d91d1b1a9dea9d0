// How the module asks for the stats of many files at once; see `stat` in src/wasm/code.rs.

/** What `stat` fills in for a name. */
export const STAT_NUMBERS = 6;

/** What `stat` is asked for: each path, and where its numbers go. */
export function eachPath(folder: string, names: string, take: (path: string, at: number) => void): void {
  const prefix = folder === "" ? "" : `${folder}/`;
  let at = 0;
  for (const name of names.split("\0")) {
    take(prefix + name, at);
    at += STAT_NUMBERS;
  }
}
