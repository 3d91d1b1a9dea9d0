// The data of a module in a file beside it (`takeData` in tools/wasm-file.mjs): an id, and what memory has in a range of
// addresses. The module says in a custom section which id, and which range: files of two versions are not put together.

const SECTION = "data file";
/** The id, which the file begins with. */
export const HEAD_BYTES = 16;

/** What a module says of its file. */
export interface DataFile {
  id: string;
  /** Where its data goes, in bytes. */
  from: number;
  length: number;
}

/** None when the module has all its data in it. */
export function dataFileOf(module: WebAssembly.Module): DataFile | undefined {
  const [section] = WebAssembly.Module.customSections(module, SECTION);
  if (!section) return undefined;
  const numbers = new DataView(section, HEAD_BYTES);
  const id = new Uint8Array(section, 0, HEAD_BYTES).join();
  return { id, from: numbers.getUint32(0, true), length: numbers.getUint32(4, true) };
}

/** Throws unless a file that begins so, and has so many bytes, is the module's. */
export function checkDataFile({ id, length }: DataFile, head: Uint8Array, bytes: number): void {
  if (bytes !== HEAD_BYTES + length || head.join() !== id)
    throw new Error("A module's data file is not of the same version. Install the package again.");
}
