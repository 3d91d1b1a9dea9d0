// The code tools as a library for Node and Bun: `import { openTree } from "<package>/code"`.
import type { OpenTreeOptions, Tree } from "./code";
import { Pools } from "./pool";
import { treeOver } from "./tree";

/** See code.d.ts, which is shipped. */
export function openTree(folder: string, options: OpenTreeOptions = {}): Tree {
  const pools = new Pools({ root: folder, options: { search: options } });
  return treeOver({
    ask: pools.ask.bind(pools),
    get memoryBytes() {
      return pools.memoryBytes;
    },
    close: () => pools.close(),
  });
}
