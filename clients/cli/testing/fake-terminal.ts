import { PassThrough } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal } from '@xterm/headless';
import { TerminalScreen } from '../src/terminal-screen';

export const ESC = '\u001b';

/** What a terminal shows: a real emulator (xterm.js without a window) behind a stream. */
class FakeTerminal extends PassThrough {
  readonly isTTY = true;
  readonly emulator: Terminal;
  /** Everything that was written to it. */
  written = '';
  bells = 0;

  constructor(
    public columns: number,
    public rows: number,
  ) {
    super();
    this.emulator = new Terminal({ cols: columns, rows, allowProposedApi: true });
    this.emulator.loadAddon(new Unicode11Addon());
    this.emulator.unicode.activeVersion = '11';
    this.emulator.onBell(() => this.bells++);
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.written += chunk.toString();
    this.emulator.write(chunk, () => done());
  }

  /** The rows of the window. */
  get window(): string[] {
    const { active } = this.emulator.buffer;
    return Array.from(
      { length: this.rows },
      (_, i) =>
        active
          .getLine(active.baseY + i)
          ?.translateToString(true)
          .trimEnd() ?? '',
    );
  }

  /** The rows of the window that are not empty. */
  get lines(): string[] {
    return this.window.filter((row) => row !== '');
  }

  get cursor(): { row: number; column: number } {
    const { cursorX, cursorY } = this.emulator.buffer.active;
    return { row: cursorY, column: cursorX };
  }

  resize(columns: number, rows: number): void {
    this.emulator.resize(columns, rows);
    this.columns = columns;
    this.rows = rows;
    this.emit('resize');
  }
}

class FakeKeyboard extends PassThrough {
  readonly isTTY = true;
  raw = false;

  setRawMode(raw: boolean): this {
    this.raw = raw;
    return this;
  }
}

/** Runs a check until it stops throwing; throws the last failure after 4 s. */
export async function soon<T>(check: () => T): Promise<T> {
  const deadline = performance.now() + 4_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A terminal screen with a keyboard and a window that a test looks at. */
export function openTerminal(columns = 40, rows = 24) {
  const keyboard = new FakeKeyboard();
  const terminal = new FakeTerminal(columns, rows);
  let interrupts = 0;
  const screen = new TerminalScreen(
    keyboard as unknown as ReadStream,
    terminal as unknown as WriteStream,
    () => interrupts++,
  );
  terminal.resume();
  const type = (text: string): void => void keyboard.write(text);
  return { keyboard, terminal, screen, type, interrupts: () => interrupts };
}
