// How the module asks for the stats of many files at once; see `stat` in src/wasm/code.rs.

/** What `stat` fills in for a name. */
export const STAT_NUMBERS = 6;

/** The paths that `stat` is asked for: what ends in `/` begins those that follow. */
export function pathsOf(text: string): string[] {
  const paths: string[] = [];
  let folder = "";
  for (const part of text.split("\0")) {
    if (part.endsWith("/")) folder = part === "/" ? "" : part;
    else paths.push(folder + part);
  }
  return paths;
}
