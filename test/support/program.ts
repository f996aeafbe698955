import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../tools/stack/paths';
import { eventually } from './eventually';

export interface ProgramOptions {
  args?: readonly string[];
  /** On top of the environment of the tests; undefined: not set. */
  env?: Record<string, string | undefined>;
  /** With pipes for output and errors. */
  stdio?: SpawnOptions['stdio'];
  /** Another command than this project's program: a name, and where it runs. */
  command?: string;
  cwd?: string;
}

/** What may take long on a loaded machine. */
const PATIENCE_MS = 60_000;

/** A compiled program of this project as a process of its own, and what it prints. */
export class Program {
  /** What it has printed, line by line. */
  readonly lines: string[] = [];
  /** What it has printed as errors. */
  errors = '';
  /** Exit status; null: a signal ended it. */
  readonly ended: Promise<number | null>;
  protected readonly child: ChildProcess;
  private over = false;

  /** @param file below `dist`; null: `command` has none */
  constructor(
    file: string | null,
    { args = [], env, stdio = ['ignore', 'pipe', 'pipe'], command, cwd }: ProgramOptions,
  ) {
    const files = file === null ? [] : [join(projectRoot(), 'dist', file)];
    this.child = spawn(command ?? process.execPath, [...files, ...args], {
      env: { ...process.env, ...env },
      stdio,
      cwd,
    });
    const { stdout, stderr } = this.child;
    createInterface({ input: stdout! }).on('line', (line) => this.lines.push(line));
    stderr!.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
    // not `close`: it never comes when the channel of a program was closed from here
    const status = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    const closed = [stdout!, stderr!].map((stream) => once(stream, 'close'));
    this.ended = Promise.all([status, ...closed]).then(([code]) => {
      this.over = true;
      return code;
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits for a line, among those from an index on; gives the index behind it. */
  async shows(pattern: RegExp, from = 0, withinMs = PATIENCE_MS): Promise<number> {
    const missing = () =>
      new Error(`no ${String(pattern)} in:\n${this.lines.join('\n')}\n${this.errors}`);
    const behind = await eventually(() => {
      const index = this.lines.findIndex((line, i) => i >= from && pattern.test(line));
      if (index >= 0 || this.over) return index + 1;
      throw missing();
    }, withinMs);
    if (behind === 0) throw missing();
    return behind;
  }

  /** The parts of lines that match a pattern's first group. */
  all(pattern: RegExp, from = 0): string[] {
    return this.lines.slice(from).flatMap((line) => pattern.exec(line)?.[1] ?? []);
  }

  /** Asks it to end; gives the exit status. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }

  /** Ends at once, without a chance to write anything. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }
}
