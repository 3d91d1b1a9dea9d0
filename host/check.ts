// Runs the user's completion command.
import { spawn } from "node:child_process";

export interface CheckResult {
  /** Absent when it could not be started or was stopped by its time limit. */
  exit: number | null;
  output: string;
}

/** Of the output only the end is kept. */
const MAX_OUTPUT_CHARS = 32_000;

/** How long the output may stay open after the command has ended. Milliseconds. */
const LINGER_MS = 1_000;

/**
 * The command, $1, and a watchdog beside it with the other end of our pipe: that ends while the command is still there
 * only when OpenCode has died, by whatever signal, and then what the command started goes. The watchdog is no child of
 * the command, which may `wait`, and it keeps neither its output nor its standard input.
 */
const WATCHED = `exec 3<&0 </dev/null
( { trap '' HUP INT TERM; read -r _
    kill -0 $$ && kill -TERM -$$ && sleep 2 && kill -KILL -$$; } <&3 >/dev/null 2>&1 & )
exec "$0" -c "$1" 3<&-`;

/** Runs `command` in a shell below `directory`; it and its children are stopped at the time limit or by `signal`. */
export function runCheck(
  command: string,
  directory: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  return new Promise((done) => {
    const group = process.platform !== "win32";
    const child = group
      ? spawn("/bin/sh", ["-c", WATCHED, "/bin/sh", command], {
          cwd: directory,
          detached: true,
          stdio: "pipe",
        })
      : spawn(command, { cwd: directory, shell: true, stdio: ["ignore", "pipe", "pipe"] });
    child.stdin?.on("error", () => undefined);
    let output = "";
    let note = "";
    let killer: ReturnType<typeof setTimeout> | undefined;
    const add = (chunk: string) => {
      output = (output + chunk).slice(-MAX_OUTPUT_CHARS);
    };
    const kill = (why: string) => {
      note ||= why;
      stop(child.pid, group, "SIGTERM");
      killer ??= setTimeout(() => stop(child.pid, group, "SIGKILL"), 2_000);
    };
    const onAbort = () => kill(`stopped: ${signal.reason}`);
    const timer = setTimeout(
      () => kill(`stopped after ${timeoutMs / 1000} s (completion.timeoutSec)`),
      timeoutMs,
    );
    const finish = (exit: number | null) => {
      clearTimeout(timer);
      clearTimeout(killer);
      signal.removeEventListener("abort", onAbort);
      done({ exit: note ? null : exit, output: note ? `${output}\n${note}` : output });
    };
    child.stdout.setEncoding("utf8").on("data", add);
    child.stderr.setEncoding("utf8").on("data", add);
    child.on("error", (error) => {
      note = `could not be started: ${error.message}`;
      finish(null);
    });
    child.on("exit", (code, by) => {
      child.stdin?.destroy();
      if (by) note ||= `ended by ${by}`;
      // what it left running in the background may keep the output open for ever
      setTimeout(() => finish(code), LINGER_MS).unref();
    });
    child.on("close", (code) => finish(code));
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

function stop(pid: number | undefined, group: boolean, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(group ? -pid : pid, signal);
  } catch {
    // it has ended meanwhile
  }
}
