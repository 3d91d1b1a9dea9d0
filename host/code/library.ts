// The code tools as a library for Node and Bun: `import { openTree } from "<package>/code"`.
import { Pool } from "./pool";
import { SyntaxTools } from "./syntax";
import type {
  AstSearchArgs,
  FindFilesArgs,
  OpenTreeOptions,
  OutlineArgs,
  ScopeArgs,
  SearchArgs,
  Tree,
} from "./library.d";

/** See library.d.ts, which is shipped. */
export function openTree(folder: string, options: OpenTreeOptions = {}): Tree {
  const pool = new Pool({ artefact: "search", root: folder, options: { search: options } });
  const syntax = new SyntaxTools({ root: folder, options: { search: options } });
  const parsed = async (method: string, args: object, signal?: AbortSignal) =>
    (await syntax.request(method, { ...args }, signal)).text;
  const call = async (method: string, args: unknown, signal?: AbortSignal) => {
    const { ok, text } = await pool.request(method, args, signal);
    if (!ok) throw new Error(text);
    return text;
  };
  return {
    search: (args: SearchArgs, signal?: AbortSignal) => call("code_search", args, signal),
    findFiles: (args: FindFilesArgs, signal?: AbortSignal) => call("find_files", args, signal),
    index: async (signal?: AbortSignal) => Number(await call("index", {}, signal)),
    astSearch: (args: AstSearchArgs, signal?: AbortSignal) => parsed("ast_search", args, signal),
    outline: (args: OutlineArgs, signal?: AbortSignal) => parsed("code_outline", args, signal),
    diagnostics: (args: ScopeArgs, signal?: AbortSignal) => parsed("code_diagnostics", args, signal),
    get memoryBytes() {
      return pool.memoryBytes;
    },
    close: async () => {
      await Promise.all([pool.close(), syntax.close()]);
    },
  };
}
