// The library's calls over whatever serves them: threads of Node, or a browser's worker.
import { askParts, type Ask } from "./parts";
import type { SyntaxTree, Tree } from "./code";

export interface Server {
  ask: Ask;
  readonly memoryBytes: number;
  close(): Promise<void>;
}

/** See code.d.ts, which is shipped. */
export function treeOver(server: Server): Tree {
  const ask: Ask = (...request) => server.ask(...request);
  const parsed = async (method: string, args: object, signal?: AbortSignal) =>
    (await askParts(ask, method, { ...args }, signal)).text;
  const search = async (method: string, args: unknown, signal?: AbortSignal) => {
    const { ok, text } = await ask("search", method, args, signal);
    if (!ok) throw new Error(text);
    return text;
  };
  return {
    search: (args, signal) => search("code_search", args, signal),
    findFiles: (args, signal) => search("find_files", args, signal),
    index: async (signal) => Number(await search("index", {}, signal)),
    astSearch: (args, signal) => parsed("ast_search", args, signal),
    rewrite: (args, signal) => parsed("ast_rewrite", args, signal),
    outline: (args, signal) => parsed("code_outline", args, signal),
    diagnostics: (args, signal) => parsed("code_diagnostics", args, signal),
    syntaxTree: async (args, signal) => {
      const answer = await askParts(ask, "syntax_tree", { ...args }, signal);
      if (answer.data === undefined) throw new Error(answer.text);
      return answer.data as SyntaxTree;
    },
    get memoryBytes() {
      return server.memoryBytes;
    },
    close: () => server.close(),
  };
}
