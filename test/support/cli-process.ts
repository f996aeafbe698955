import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { projectRoot } from '../../tools/stack/paths';
import { ChatUser } from './chat-user';
import { eventually } from './eventually';

export interface CliOptions {
  /** Gateways, in the order in which they are asked. */
  servers: readonly string[];
  user: string;
  /** Where this machine remembers things (`XDG_STATE_HOME`). */
  home: string;
  /** Log in with the password; left out: with what the machine remembers. */
  password?: boolean;
  /** Further arguments. */
  args?: readonly string[];
}

/** What may take long on a loaded machine. */
const PATIENCE_MS = 60_000;

/** The terminal client as a process of its own, with pipes instead of a terminal. */
export class CliProcess {
  /** What it has printed, line by line. */
  readonly lines: string[] = [];
  private rest = '';
  private errors = '';
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly ended: Promise<number | null>;

  private constructor({ servers, user, home, password, args = [] }: CliOptions) {
    const env: NodeJS.ProcessEnv = { ...process.env, XDG_STATE_HOME: home };
    delete env['TIDINGS_PASSWORD'];
    if (password) env['TIDINGS_PASSWORD'] = ChatUser.PASSWORD;
    const program = join(projectRoot(), 'dist', 'clients', 'cli', 'src', 'main.js');
    const addresses = servers.flatMap((server) => ['--server', server]);
    const all = [program, ...addresses, '--user', user, ...args];
    this.child = spawn(process.execPath, all, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.take(text));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
    // A line for a program that was killed goes nowhere.
    this.child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
  }

  /** Starts it and waits until it takes lines. */
  static async start(options: CliOptions): Promise<CliProcess> {
    const cli = new CliProcess(options);
    await cli.shows(/^Hello /);
    return cli;
  }

  /** Registers a user and stays logged in. */
  static register(options: Omit<CliOptions, 'password'>): Promise<CliProcess> {
    const { user, args = [] } = options;
    const account = ['--register', '--name', user, '--email', `${user}@example.org`];
    return CliProcess.start({ ...options, password: true, args: [...account, ...args] });
  }

  /** Types lines. */
  type(...lines: string[]): void {
    this.child.stdin.write(lines.map((line) => line + '\n').join(''));
  }

  /** Waits for a line, among those from an index on; gives the index behind it. */
  async shows(pattern: RegExp, from = 0): Promise<number> {
    return eventually(() => {
      const index = this.lines.findIndex((line, i) => i >= from && pattern.test(line));
      if (index >= 0) return index + 1;
      throw new Error(`no ${String(pattern)} in:\n${this.lines.join('\n')}\n${this.errors}`);
    }, PATIENCE_MS);
  }

  /** The parts of lines that match a pattern's first group. */
  all(pattern: RegExp, from = 0): string[] {
    return this.lines.slice(from).flatMap((line) => pattern.exec(line)?.[1] ?? []);
  }

  /** Leaves as a person does; gives the exit status. */
  async quit(): Promise<number | null> {
    this.type('/quit');
    return this.ended;
  }

  /** Ends at once, without a chance to write anything. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    this.lines.push(...lines);
  }
}
