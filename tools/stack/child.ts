import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs';
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guard, unguard } from './guardian';
import { StackError, throwIfStopped } from './paths';
import { withPrivateFiles } from './private-files';

/** A log larger than this many bytes is set aside (`.old`) at the next start. */
const LOG_LIMIT_BYTES = 20 * 1024 * 1024;
/** How long a process may take after the polite signal before it is killed, in milliseconds. */
const STOP_GRACE_MS = 10_000;

/** On one machine the archive (storage and its database) gives way to those who deliver. */
export const ARCHIVE_NICENESS = 5;

/** What to run and how to end it. */
export interface ChildSpec {
  /** shown in messages, e.g. `kafka` or `gateway-1` */
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** stdout and stderr are appended here */
  logPath: string;
  /** the polite way to end it */
  stopSignal: NodeJS.Signals;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** Gives way to the others when the machine is full (`nice`, 0–19). */
  niceness?: number;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process in a session of its own (Ctrl-C does not reach it), logged to a file, guarded, stopped in bounded time. */
export class Child {
  /** settles when the process has ended; never rejects */
  readonly exited: Promise<Exit>;
  readonly pid: number;
  private exit: Exit | undefined;

  private constructor(
    readonly spec: ChildSpec,
    private readonly process: ChildProcess,
    pid: number,
  ) {
    this.pid = pid;
    guard(pid, spec.stopSignal);
    this.exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        this.exit = { code, signal };
        unguard(pid);
        resolve(this.exit);
      });
    });
  }

  /**
   * Starts the process.
   * @throws StackError when the program cannot be started.
   */
  static async start(spec: ChildSpec): Promise<Child> {
    const log = openLog(spec.logPath);
    try {
      const child = withPrivateFiles(() =>
        spawn(spec.command, spec.args, {
          env: spec.env,
          stdio: ['ignore', log, log],
          detached: true,
          cwd: spec.cwd,
          uid: spec.uid,
          gid: spec.gid,
        }),
      );
      const pid = child.pid;
      if (pid !== undefined) {
        giveWay(pid, spec.niceness);
        return new Child(spec, child, pid);
      }
      const error = await new Promise<Error>((resolve) => child.once('error', resolve));
      throw new StackError(`${spec.name} could not be started: ${error.message}.`);
    } finally {
      closeSync(log);
    }
  }

  /** Whether the process is still there. */
  isAlive(): boolean {
    return this.exit === undefined;
  }

  /** How the process ended; undefined while it runs. */
  get ended(): Exit | undefined {
    return this.exit;
  }

  /** Sends a signal; false when the process has ended. */
  signal(signal: NodeJS.Signals): boolean {
    return this.isAlive() && this.process.kill(signal);
  }

  /** Sends a signal (SIGKILL unless told) and waits for the end of the process. Not for signals that do not end it. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }

  /** Ends the process: politely, after 10 s by SIGKILL. A stopped one (SIGSTOP) is woken first. */
  async stop(graceMs: number = STOP_GRACE_MS): Promise<Exit> {
    if (this.exit !== undefined) return this.exit;
    this.signal(this.spec.stopSignal);
    this.signal('SIGCONT');
    const timer = new AbortController();
    const late = delay(graceMs, undefined, { signal: timer.signal }).then(
      () => this.kill('SIGKILL'),
      () => this.exited,
    );
    const exit = await Promise.race([this.exited, late]);
    timer.abort();
    return exit;
  }
}

/** Before the process has children of its own: they inherit it. */
export function giveWay(pid: number, niceness: number | undefined): void {
  if (niceness === undefined) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // it has ended already, which its exit tells
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (existsSync(path) && statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.old`);
  return openSync(path, 'a', 0o600);
}

/** The last lines of a log file, for an error message. */
function tailOf(path: string, lines: number): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/**
 * Waits until `probe` answers true.
 * @param timeoutMs milliseconds
 * @throws StackError when the process ends or the time is over; the message names the log.
 */
export async function waitUntilReady(
  child: Child,
  probe: () => Promise<boolean>,
  timeoutMs: number,
  abort?: AbortSignal,
): Promise<void> {
  const { name, logPath } = child.spec;
  const end = Date.now() + timeoutMs;
  while (child.isAlive()) {
    throwIfStopped(abort);
    if (await probe()) return;
    if (Date.now() > end) {
      throw new StackError(
        `${name} did not become ready within ${timeoutMs / 1000} s; see ${logPath}.`,
      );
    }
    await delay(50);
  }
  const { code, signal } = await child.exited;
  throwIfStopped(abort);
  throw new StackError(
    `${name} ended while starting (${signal ?? `exit code ${code}`}); see ${logPath}:\n${tailOf(logPath, 8)}`,
  );
}
