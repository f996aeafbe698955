import { PassThrough } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { completeCommand } from '../src/help';
import { TerminalScreen } from '../src/terminal-screen';

export const ESC = '\u001b';
export const tick = () => new Promise((resolve) => setImmediate(resolve));

/** What a terminal shows: enough of its control sequences for what readline writes. */
class FakeTerminal extends PassThrough {
  readonly isTTY = true;
  readonly rows = 24;
  shown: string[] = [''];
  private row = 0;
  private column = 0;

  constructor(readonly columns: number) {
    super();
    this.on('data', (chunk: Buffer) => this.show(chunk.toString()));
  }

  get lines(): string[] {
    return this.shown.map((row) => row.trimEnd());
  }

  private show(text: string): void {
    const tokens = new RegExp(`${ESC}\\[(\\d*)(?:;\\d+)?([A-Za-z])|[\\s\\S]`, 'gu');
    for (const [all, count, command] of text.matchAll(tokens)) {
      if (command !== undefined) this.control(command, Number(count || '1'));
      else if (all === '\r') this.column = 0;
      else if (all === '\n') this.down();
      else this.put(all);
    }
  }

  private control(command: string, n: number): void {
    if (command === 'H') [this.row, this.column] = [n - 1, 0];
    else if (command === 'A') this.row = Math.max(0, this.row - n);
    else if (command === 'G') this.column = n - 1;
    else if (command === 'C') this.column += n;
    else if (command === 'D') this.column = Math.max(0, this.column - n);
    else if (command === 'J') {
      this.shown = this.shown.slice(0, this.row + 1);
      this.shown[this.row] = (this.shown[this.row] ?? '').slice(0, this.column);
    }
  }

  private put(character: string): void {
    if (this.column >= this.columns) {
      this.column = 0;
      this.down();
    }
    const row = (this.shown[this.row] ?? '').padEnd(this.column);
    this.shown[this.row] = row.slice(0, this.column) + character + row.slice(this.column + 1);
    this.column++;
  }

  private down(): void {
    this.row++;
    this.column = 0;
    this.shown[this.row] ??= '';
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

/** Runs a check until it stops throwing; throws the last failure after 10 s. */
export async function soon(check: () => void): Promise<void> {
  const deadline = performance.now() + 10_000;
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
export function openTerminal(columns = 40) {
  const keyboard = new FakeKeyboard();
  const terminal = new FakeTerminal(columns);
  let interrupts = 0;
  const screen = new TerminalScreen(
    keyboard as unknown as ReadStream,
    terminal as unknown as WriteStream,
    () => interrupts++,
    completeCommand,
  );
  const type = async (text: string): Promise<void> => {
    keyboard.write(text);
    await tick();
  };
  return { keyboard, terminal, screen, type, interrupts: () => interrupts };
}
