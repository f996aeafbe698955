import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { guard, unguard } from './guardian';
import { StackError } from './paths';
import { withPrivateFiles } from './private-files';

/** How a short program ended and what it printed (the last 20 000 characters of both streams). */
export interface ProgramResult {
  code: number | null;
  output: string;
}

/** Options of `runProgram`. */
export interface ProgramOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** killed after this many milliseconds; then the result's code is null */
  timeoutMs?: number;
  /** ends the program by SIGTERM */
  abort?: AbortSignal;
  /** It writes what people's data lies in: its files are its owner's alone. */
  writesData?: boolean;
}

const KEPT_CHARACTERS = 20_000;

/**
 * Runs a short program to its end.
 * @throws StackError when it cannot be started.
 */
export function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { timeoutMs, abort, writesData, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const start = (): ChildProcessByStdio<null, Readable, Readable> =>
      spawn(command, args, {
        ...spawnOptions,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
      });
    const child = writesData ? withPrivateFiles(start) : start();
    const terminate = (): void => void child.kill('SIGTERM');
    abort?.addEventListener('abort', terminate);
    if (child.pid !== undefined) guard(child.pid, 'SIGTERM');
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_CHARACTERS);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new StackError(
          error.code === 'ENOENT'
            ? `${command} was not found: install it and run this again.`
            : `${command} could not be run: ${error.message}.`,
        ),
      ),
    );
    child.once('close', (code) => {
      abort?.removeEventListener('abort', terminate);
      if (child.pid !== undefined) unguard(child.pid);
      resolve({ code, output });
    });
  });
}
