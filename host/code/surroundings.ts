// The ignore files above a tree's root, and the person's own: looked at before each search, for nobody tells of them.
import { readFileSync, statSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";

const UNLESS_MISSING = { throwIfNoEntry: false } as const;
/** As in src/code/limits.rs: what was left alone for so long has another stat after any change. */
const RACY_MS = 2_000;

/** What `surroundings` in src/wasm/code.rs gives. */
export class Surroundings {
  private readonly above: readonly Above[];
  private looks = new Looks();
  private text: string | undefined;

  constructor(root: string) {
    this.above = foldersAbove(root);
  }

  /** Nothing is read again while all that was looked at has the stat it had, or is not there as it was not. */
  toText(): string {
    if (this.text !== undefined && this.looks.areSame()) return this.text;
    const looks = (this.looks = new Looks());
    const above = this.above.map((folder) => ignoreFiles(folder, looks));
    this.text = JSON.stringify({ above, global: looks.text(globalExcludes(looks)) });
    return this.text;
  }
}

/** Paths that something depends on, and the stats that they had. */
class Looks {
  private readonly stats = new Map<string, Stats | undefined>();
  /** Another stat would show any change. */
  private areProof = true;

  stat(path: string): Stats | undefined {
    const stat = statSync(path, UNLESS_MISSING);
    this.stats.set(path, stat);
    this.areProof &&= !stat || Date.now() - Math.max(stat.mtimeMs, stat.ctimeMs) >= RACY_MS;
    return stat;
  }

  /** A file's text. */
  text(path: string): string | undefined {
    try {
      // a missing file is the usual case, and an exception costs more than a look
      return this.stat(path) && readFileSync(path, "utf8");
    } catch {
      this.areProof = false;
      return undefined;
    }
  }

  areSame(): boolean {
    if (!this.areProof) return false;
    try {
      for (const [path, stat] of this.stats) if (!isSame(stat, statSync(path, UNLESS_MISSING))) return false;
      return true;
    } catch {
      return false;
    }
  }
}

function isSame(a: Stats | undefined, b: Stats | undefined): boolean {
  if (!a || !b) return a === b;
  const isFile = a.ino === b.ino && a.dev === b.dev && a.size === b.size;
  return isFile && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

/** A folder above the root: the paths in it that are looked at. */
interface Above {
  folder: string;
  /** The name of the next folder below. */
  below: string;
  git: string;
  gitignore: string;
  ignore: string;
  rgignore: string;
}

/** Those above a folder, nearest first. */
function foldersAbove(root: string): Above[] {
  const above: Above[] = [];
  let last = root;
  for (let folder = dirname(root); folder !== last; folder = dirname(folder)) {
    above.push({
      folder,
      below: basename(last),
      git: join(folder, ".git"),
      gitignore: join(folder, ".gitignore"),
      ignore: join(folder, ".ignore"),
      rgignore: join(folder, ".rgignore"),
    });
    last = folder;
  }
  return above;
}

/** The ignore files of a folder above the root. */
function ignoreFiles({ folder, below, git, ...paths }: Above, looks: Looks) {
  const repository = looks.stat(git);
  return {
    below,
    repository: repository !== undefined,
    gitignore: looks.text(paths.gitignore),
    ignore: looks.text(paths.ignore),
    rgignore: looks.text(paths.rgignore),
    exclude: repository && excludeOf(folder, git, repository, looks),
  };
}

/** `info/exclude` of the repository that a `.git` is or names. */
const excludeOf = (folder: string, git: string, repository: Stats, looks: Looks) =>
  repository.isFile() ? linkedExclude(folder, looks) : looks.text(join(git, "info/exclude"));

/** `info/exclude` of the repository that a `.git` file names: a linked work tree. */
export function linkedExclude(folder: string | Buffer, looks = new Looks()): string | undefined {
  const at = folder.toString();
  const named = /^gitdir: (.+)/.exec(looks.text(join(at, ".git")) ?? "")?.[1];
  if (named === undefined) return undefined;
  const gitDir = resolve(at, named);
  const common = looks.text(join(gitDir, "commondir"))?.split("\n")[0];
  if (common === undefined) return undefined;
  return looks.text(join(isAbsolute(common) ? common : resolve(gitDir, common), "info/exclude"));
}

/** The person's own ignore file: git's `core.excludesFile`, or its default. */
function globalExcludes(looks: Looks): string {
  const home = homedir();
  const config = process.env["XDG_CONFIG_HOME"] || join(home, ".config");
  for (const file of [join(home, ".gitconfig"), join(config, "git/config")]) {
    const named = /^\s*excludesfile\s*=\s*"?(.+?)"?\s*$/im.exec(looks.text(file) ?? "")?.[1];
    if (named !== undefined) return named.replace(/^~(?=\/|$)/, home);
  }
  return join(config, "git/ignore");
}
