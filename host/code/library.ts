// The code tools as a library for Node and Bun: `import { openTree } from "<package>/code"`.
import { Pool } from "./pool";
import type { FindFilesArgs, OpenTreeOptions, SearchArgs, Tree } from "./library.d";

/** See library.d.ts, which is shipped. */
export function openTree(folder: string, options: OpenTreeOptions = {}): Tree {
  const pool = new Pool({ artefact: "search", root: folder, options: { search: options } });
  const call = async (method: string, args: unknown, signal?: AbortSignal) => {
    const { ok, text } = await pool.request(method, args, signal);
    if (!ok) throw new Error(text);
    return text;
  };
  return {
    search: (args: SearchArgs, signal?: AbortSignal) => call("code_search", args, signal),
    findFiles: (args: FindFilesArgs, signal?: AbortSignal) => call("find_files", args, signal),
    index: async (signal?: AbortSignal) => Number(await call("index", {}, signal)),
    get memoryBytes() {
      return pool.memoryBytes;
    },
    close: () => pool.close(),
  };
}
