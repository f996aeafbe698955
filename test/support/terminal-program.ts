import { join } from 'node:path';
import { spawn, type IPty } from '@lydell/node-pty';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal } from '@xterm/headless';
import { projectRoot } from '../../tools/stack/paths';
import { eventually } from './eventually';

const ESC = '\u001b';
export const KEYS = {
  enter: '\r',
  tab: '\t',
  escape: ESC,
  ctrlC: '\u0003',
  ctrlD: '\u0004',
  pageDown: `${ESC}[6~`,
  pageUp: `${ESC}[5~`,
  altEnter: `${ESC}\r`,
} as const;

/** What may take long on a busy machine, milliseconds. */
const PATIENCE_MS = 60_000;

export interface TerminalProgramOptions {
  args?: readonly string[];
  /** Where this machine remembers things; also the home folder. */
  home: string;
  env?: Record<string, string>;
  cwd?: string;
  columns?: number;
  rows?: number;
}

/**
 * The terminal client in a pseudo terminal, and a terminal emulator that shows it: what a person
 * sees, on any machine, without tmux. Both come with binaries inside their packages; where there is
 * none for this platform, `spawn` throws and says so.
 */
export class TerminalProgram {
  readonly ended: Promise<number>;
  private readonly pty: IPty;
  private readonly emulator: Terminal;
  bells = 0;
  over = false;

  constructor({ args = [], home, env, cwd, columns = 80, rows = 24 }: TerminalProgramOptions) {
    this.emulator = new Terminal({ cols: columns, rows, allowProposedApi: true });
    this.emulator.loadAddon(new Unicode11Addon());
    this.emulator.unicode.activeVersion = '11';
    this.emulator.onBell(() => this.bells++);
    const program = join(projectRoot(), 'dist', 'clients', 'cli', 'src', 'main.js');
    const inherited = Object.entries(process.env).filter(
      (pair): pair is [string, string] => pair[1] !== undefined && pair[0] !== 'TIDINGS_PASSWORD',
    );
    this.pty = spawn(process.execPath, [program, ...args], {
      name: 'xterm-256color',
      cols: columns,
      rows,
      cwd: cwd ?? home,
      env: {
        ...Object.fromEntries(inherited),
        HOME: home,
        XDG_STATE_HOME: home,
        TIDINGS_DATA_DIR: join(home, 'no-stack'),
        NO_COLOR: '1',
        ...env,
      },
    });
    this.pty.onData((data) => this.emulator.write(data));
    this.ended = new Promise((resolve) => {
      this.pty.onExit(({ exitCode }) => {
        this.over = true;
        resolve(exitCode);
      });
    });
  }

  get pid(): number {
    return this.pty.pid;
  }

  /** The rows of the window, without blanks at their ends. */
  get window(): string[] {
    const { active } = this.emulator.buffer;
    return Array.from(
      { length: this.emulator.rows },
      (_, i) =>
        active
          .getLine(active.baseY + i)
          ?.translateToString(true)
          .trimEnd() ?? '',
    );
  }

  /** The window as one text: a captured screen. */
  get screen(): string {
    return this.window.join('\n');
  }

  /** What is below the line of status: the prompt or a question, and what is being typed. */
  get input(): string {
    const { window } = this;
    const rule = window.findLastIndex((row) => row.startsWith('──') || row.endsWith('──'));
    return window
      .slice(rule + 1)
      .join('\n')
      .trimEnd();
  }

  type(text: string): void {
    this.pty.write(text);
  }

  /** Types a line, and Enter. */
  enter(line: string): void {
    this.type(line + KEYS.enter);
  }

  /** Pastes as terminals do that were asked to mark it. */
  paste(text: string): void {
    this.type(`${ESC}[200~${text}${ESC}[201~`);
  }

  focus(on: boolean): void {
    this.type(`${ESC}[${on ? 'I' : 'O'}`);
  }

  resize(columns: number, rows: number): void {
    this.emulator.resize(columns, rows);
    this.pty.resize(columns, rows);
  }

  /** Waits until the window shows something. */
  shows(pattern: RegExp | string, withinMs = PATIENCE_MS): Promise<void> {
    return this.waits(() => this.screen, pattern, withinMs);
  }

  /** Waits until the prompt, or the question that waits for an answer, is this. */
  asks(pattern: RegExp | string, withinMs = PATIENCE_MS): Promise<void> {
    return this.waits(() => this.input, pattern, withinMs);
  }

  private async waits(
    where: () => string,
    pattern: RegExp | string,
    withinMs: number,
  ): Promise<void> {
    await eventually(() => {
      const text = where();
      const fits = typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);
      if (!fits) throw new Error(`no ${String(pattern)} in:\n${this.screen}`);
    }, withinMs);
  }

  /** Sends keys or a signal by which it has to leave; gives how long that took, in milliseconds. */
  async leaves(by: string | NodeJS.Signals): Promise<number> {
    const begin = performance.now();
    if (by.startsWith('SIG')) this.pty.kill(by);
    else this.type(by);
    await this.ended;
    return performance.now() - begin;
  }

  async kill(): Promise<void> {
    if (!this.over) this.pty.kill('SIGKILL');
    await this.ended;
  }
}
