// A file of lines that grows at its end and never keeps a part of a line: what could not be written whole is taken back.
import { closeSync, fstatSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from "node:fs";

export class LineFile {
  /** A part of a line stays at its end: a line behind that would make the whole file unreadable. */
  private isTorn = false;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    private length: number,
  ) {}

  /** Goes on at the end of a file. */
  static open(path: string): LineFile {
    const fd = openSync(path, "a");
    return new LineFile(path, fd, fstatSync(fd).size);
  }

  /** Puts a file with this text in the place of the one that may be there; that one stays when it fails. */
  static create(path: string, text: Uint8Array): LineFile {
    const fresh = `${path}.new`;
    rmSync(fresh, { force: true });
    const file = new LineFile(path, openSync(fresh, "a"), 0);
    try {
      file.append(text);
      renameSync(fresh, path);
      return file;
    } catch (error) {
      file.close();
      rmSync(fresh, { force: true });
      throw error;
    }
  }

  /** Writes whole lines, or throws and has written nothing. A torn file takes no more. */
  append(text: Uint8Array): void {
    if (this.isTorn) return;
    try {
      for (let written = 0; written < text.length;) {
        const more = writeSync(this.fd, text, written); // a full disk takes what still fits
        if (more === 0) throw new Error("nothing could be written");
        written += more;
      }
      this.length += text.length;
    } catch (error) {
      this.takeBack();
      throw error;
    }
  }

  private takeBack(): void {
    try {
      ftruncateSync(this.fd, this.length);
    } catch {
      this.isTorn = true;
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}
