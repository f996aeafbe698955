import {
  clearScreenDown,
  createInterface,
  cursorTo,
  moveCursor,
  type Interface,
} from 'node:readline';
import { Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import { LineQueue } from './line-queue';
import type { Screen } from './screen';
import { colours, plain, type Style } from './style';
import { displayRows } from './width';

/** Lines that are kept while a password is typed; the oldest go. */
const MOST_HELD = 1_000;

/** Erases what the terminal has scrolled away (xterm's ED 3). */
const WIPE_SCROLLBACK = `${String.fromCharCode(27)}[3J`;

/** The terminal as readline sees it; mute while a password is typed. */
class Gate extends Writable {
  readonly isTTY = true;
  muted = false;

  constructor(private readonly terminal: WriteStream) {
    super({ decodeStrings: false });
  }

  get columns(): number {
    return this.terminal.columns;
  }

  override _write(chunk: unknown, _: BufferEncoding, done: () => void): void {
    if (!this.muted) this.terminal.write(chunk as string);
    done();
  }
}

/**
 * A terminal: what arrives is printed above the line being typed, which stays as it is. The prompt
 * has a footer of lines that are redrawn with it.
 */
export class TerminalScreen implements Screen {
  readonly style: Style;
  readonly interactive = true;
  private readonly queue = new LineQueue();
  private readonly gate: Gate;
  private readonly reader: Interface;
  private prompt = '';
  /** From the first `nextLine` on the prompt stays at the bottom of the screen. */
  private chatting = false;
  private secret = false;
  private removeInput: () => void = () => undefined;
  /** What arrived while a password was being typed. */
  private held: string[] = [];
  /** The screen is to be drawn anew after the password. */
  private wiping: { deep: boolean } | null = null;

  constructor(
    private readonly input: ReadStream,
    private readonly terminal: WriteStream,
    onInterrupt: () => void,
    complete: (line: string) => [string[], string],
  ) {
    this.style = process.env['NO_COLOR'] ? plain : colours;
    this.gate = new Gate(terminal);
    this.reader = createInterface({
      input,
      output: this.gate,
      terminal: true,
      completer: complete,
      historySize: 200,
      prompt: '',
    });
    this.reader.on('line', (line) => this.entered(line));
    this.reader.on('SIGINT', onInterrupt);
    this.reader.on('close', () => this.queue.end());
    this.reader.on('history', (history) => {
      if (this.secret) history.shift();
    });
    terminal.on('resize', this.resized);
  }

  get columns(): number {
    return Math.max(20, this.terminal.columns || 80);
  }

  get rows(): number {
    return Math.max(8, this.terminal.rows || 24);
  }

  print(...lines: string[]): void {
    if (lines.length === 0) return;
    if (this.secret) {
      this.held = [...this.held, ...lines].slice(-MOST_HELD);
      return;
    }
    this.erase();
    this.terminal.write(lines.join('\n') + '\n');
    this.draw();
  }

  redraw(lines: readonly string[], deep = false): void {
    if (this.secret) {
      this.held = [...lines];
      this.wiping = { deep };
      return;
    }
    this.terminal.write(deep ? WIPE_SCROLLBACK : '');
    cursorTo(this.terminal, 0, 0);
    clearScreenDown(this.terminal);
    this.terminal.write(lines.map((line) => line + '\n').join(''));
    this.draw();
  }

  setPrompt(footer: readonly string[], prompt: string): void {
    this.erase();
    this.prompt = [...footer, prompt].join('\n');
    this.draw();
  }

  nextLine(): Promise<string | null> {
    if (!this.chatting) {
      this.chatting = true;
      this.draw();
    }
    return this.queue.next();
  }

  onInput(listener: (line: string) => void): void {
    this.removeInput();
    // readline has taken the key already: it listens longer.
    const typed = (): void => {
      if (this.chatting && !this.secret) listener(this.reader.line);
    };
    this.input.on('keypress', typed);
    this.removeInput = () => this.input.off('keypress', typed);
  }

  async ask(question: string): Promise<string | null> {
    this.reader.setPrompt(question + ' ');
    this.reader.prompt();
    return this.queue.next();
  }

  async askSecret(question: string): Promise<string | null> {
    const { chatting } = this;
    this.erase();
    this.chatting = false;
    this.terminal.write(question + ' ');
    this.gate.muted = this.secret = true;
    const line = await this.queue.next();
    this.gate.muted = this.secret = false;
    this.terminal.write('\n');
    this.chatting = chatting;
    this.draw();
    const { wiping } = this;
    this.wiping = null;
    if (wiping) this.redraw(this.held.splice(0), wiping.deep);
    else this.print(...this.held.splice(0));
    return line;
  }

  close(): void {
    this.terminal.off('resize', this.resized);
    this.removeInput();
    if (this.chatting) this.erase();
    this.chatting = false;
    this.gate.muted = false;
    this.reader.close();
  }

  /** What was typed goes from the screen: whoever takes the line shows it as it should be. */
  private entered(line: string): void {
    if (this.chatting) {
      moveCursor(this.terminal, 0, -displayRows(this.prompt + line, this.columns));
      cursorTo(this.terminal, 0);
      clearScreenDown(this.terminal);
      this.draw();
    }
    this.queue.push(line);
  }

  private erase(): void {
    if (!this.chatting) return;
    const { rows } = this.reader.getCursorPos();
    if (rows > 0) moveCursor(this.terminal, 0, -rows);
    cursorTo(this.terminal, 0);
    clearScreenDown(this.terminal);
  }

  private draw(): void {
    if (!this.chatting) return;
    // readline moves up by the rows that it drew last; after `erase` there are none.
    (this.reader as Interface & { prevRows: number }).prevRows = 0;
    this.reader.setPrompt(this.prompt);
    this.reader.prompt(true);
  }

  private readonly resized = (): void => {
    this.gate.emit('resize');
  };
}
