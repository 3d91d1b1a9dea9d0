// The engine's module, engine.wasm beside this file.
import { readFileSync } from "node:fs";

const file = () => readFileSync(new URL("./engine.wasm", import.meta.url));

/** Compiles it beside what else goes on; undefined when that fails: the first use says why. */
export function compile(): Promise<WebAssembly.Module | undefined> {
  const compiling = async () => WebAssembly.compile(file());
  return compiling().catch(() => undefined);
}

/** Compiles it at once. */
export function compileSync(): WebAssembly.Module {
  return new WebAssembly.Module(file());
}
