// What the build does to a module's file, from bytes to bytes: https://webassembly.github.io/spec/core/binary/modules.html
import { createHash } from "node:crypto";
import { Stop } from "./lib.mjs";

const CUSTOM_SECTION = 0;
const MEMORY_SECTION = 5;
const CODE_SECTION = 10;
const DATA_SECTION = 11;
/** Magic number and version. */
const HEADER = 8;
const WASM_PAGE = 65_536;
const [I32_CONST, END] = [0x41, 0x0b];
/** A piece of data costs its place and its length, and is put into memory by itself: shorter runs are no gain. */
const MIN_ZEROS = 32;
/** As host/code/data.ts has it. */
const DATA_FILE = "data file";
const ID_BYTES = 16;

/** A module's sections: number, where its contents begin, and the whole in bytes. */
function* sections(wasm) {
  for (let start = HEADER, next; start < wasm.length; start = next) {
    const [size, body] = leb128(wasm, start + 1);
    next = body + size;
    yield { id: wasm[start], body, bytes: wasm.subarray(start, next) };
  }
}

/** The module with what `change` makes of each section, which may be nothing. */
function changed(wasm, change) {
  const made = [...sections(wasm)].map((section) => change(section));
  return Buffer.concat([wasm.subarray(0, HEADER), ...made.filter(Boolean)]);
}

function section(id, parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([id, ...toLeb128(body.length)]), body]);
}

/** Drops the custom section of function names: a seventh of the module, of use only to a debugger. */
export function dropNames(wasm) {
  const isNames = ({ id, body }) => id === CUSTOM_SECTION && sectionName(wasm, body) === "name";
  return changed(wasm, (section) => !isNames(section) && section.bytes);
}

/** Gives the module's one memory a maximum: its limits are a flag, the minimum and, with the flag 1, that. */
export function limitMemory(wasm, maximum) {
  return changed(wasm, ({ id, body, bytes }) => {
    if (id !== MEMORY_SECTION) return bytes;
    const [count, limits] = leb128(wasm, body);
    const [flag, minimum] = [wasm[limits], leb128(wasm, limits + 1)[0]];
    if (count !== 1 || flag !== 0) throw new Stop("a module's memory is not as expected");
    const made = [count, 1, ...toLeb128(minimum), ...toLeb128(maximum / WASM_PAGE)];
    return section(MEMORY_SECTION, [Buffer.from(made)]);
  });
}

/** The pieces of a module's data: the place in memory that each goes to, and its bytes. */
function pieces(wasm, body) {
  const found = [];
  let [count, from] = leb128(wasm, body);
  for (; count > 0; count--) {
    // an active piece of the one memory: 0, where it goes as a constant, and its bytes
    if (wasm[from] !== 0 || wasm[from + 1] !== I32_CONST)
      throw new Stop("a module's data is not as expected");
    const [place, end] = leb128(wasm, from + 2);
    const [length, start] = leb128(wasm, end + 1);
    from = start + length;
    found.push([place, wasm.subarray(start, from)]);
  }
  return found;
}

/**
 * Leaves out the zeros among the data, a quarter of a grammar's tables: memory has them anyway, and what is not there is not
 * copied when the module is compiled and when it is instantiated.
 */
export function dropZeros(wasm) {
  const runs = new RegExp(`\\0{${MIN_ZEROS},}`, "g");
  return changed(wasm, ({ id, body, bytes }) => {
    if (id !== DATA_SECTION) return bytes;
    const kept = [];
    for (const [place, data] of pieces(wasm, body)) {
      let from = 0;
      const keep = (upTo, next) => {
        if (upTo > from) kept.push([place + from, data.subarray(from, upTo)]);
        from = next;
      };
      for (const { 0: zeros, index } of data.toString("latin1").matchAll(runs))
        keep(index, index + zeros.length);
      keep(data.length);
    }
    const made = kept.flatMap(([place, data]) => [
      Buffer.from([0, I32_CONST, ...toSignedLeb128(place), END, ...toLeb128(data.length)]),
      data,
    ]);
    return section(DATA_SECTION, [Buffer.from(toLeb128(kept.length)), ...made]);
  });
}

/**
 * Takes the data out of the module, for a file of its own that the host reads straight into memory: OpenCode's runtime
 * copies and hashes all of a module before it compiles it. The file is an id and what memory has from its first to its last
 * byte; the module gets a custom section with the id, the place and the length, by which the two are known to belong together.
 */
export function takeData(wasm) {
  const { body } = [...sections(wasm)].find(({ id }) => id === DATA_SECTION);
  const data = pieces(wasm, body);
  const from = Math.min(...data.map(([place]) => place));
  const image = Buffer.alloc(Math.max(...data.map(([place, bytes]) => place + bytes.length)) - from);
  for (const [place, bytes] of data) image.set(bytes, place - from);
  const without = changed(wasm, ({ id, bytes }) => id !== DATA_SECTION && bytes);
  const hash = createHash("sha256").update(without).update(image);
  const id = hash.digest().subarray(0, ID_BYTES);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(from, 0);
  numbers.writeUInt32LE(image.length, 4);
  const name = Buffer.from([DATA_FILE.length, ...Buffer.from(DATA_FILE)]);
  return {
    wasm: Buffer.concat([without, section(CUSTOM_SECTION, [name, id, numbers])]),
    data: Buffer.concat([id, image]),
  };
}

/** The code and data sections of a module. */
export const linkedSections = (wasm) =>
  [...sections(wasm)]
    .filter(({ id }) => id === CODE_SECTION || id === DATA_SECTION)
    .map(({ bytes }) => bytes);

/** The wasm objects in a Unix archive: after `!<arch>\n`, for each a header of 60 bytes with its size, and its bytes. */
export function objectsOf(archive) {
  const objects = [];
  for (let from = 8; from + 60 <= archive.length;) {
    const size = Number(archive.toString("latin1", from + 48, from + 58));
    const bytes = archive.subarray(from + 60, from + 60 + size);
    if (bytes.toString("latin1", 0, 4) === "\0asm") objects.push(bytes);
    from += 60 + size + (size % 2);
  }
  return objects;
}

function sectionName(wasm, body) {
  const [length, from] = leb128(wasm, body);
  return wasm.toString("utf8", from, from + length);
}

/** An unsigned number in LEB128 and the position behind it. */
function leb128(bytes, from) {
  let value = 0;
  for (let shift = 0, at = from; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    if (byte < 128) return [value >>> 0, at];
  }
}

function toLeb128(value) {
  const rest = value >>> 7;
  return rest === 0 ? [value] : [(value & 127) | 128, ...toLeb128(rest)];
}

/** A positive number where a signed one is expected: its highest bit of seven is the sign. */
function toSignedLeb128(value) {
  return value < 64 ? [value] : [(value & 127) | 128, ...toSignedLeb128(value >>> 7)];
}
