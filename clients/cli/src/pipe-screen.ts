import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { LineQueue } from './line-queue';
import type { Entered, Screen } from './screen';
import { plain } from './style';

/** Waiting lines beyond this make the input wait. */
const MAX_WAITING = 1_000;

/** Reads commands line by line and prints plain lines: for scripts and tests. */
export class PipeScreen implements Screen {
  readonly columns = Infinity;
  readonly style = plain;
  readonly interactive = false;
  private readonly queue = new LineQueue<string>();
  private readonly reader: Interface;
  /** From Node 24 on a reader that has been closed throws when it is paused or resumed. */
  private closed = false;

  constructor(
    input: Readable,
    private readonly output: Writable,
  ) {
    this.reader = createInterface({ input, terminal: false });
    this.reader.on('line', (line) => {
      this.queue.push(line);
      if (this.queue.length > MAX_WAITING && !this.closed) this.reader.pause();
    });
    this.reader.on('close', () => {
      this.closed = true;
      this.queue.end();
    });
  }

  print(...lines: string[]): void {
    if (lines.length > 0) this.output.write(lines.join('\n') + '\n');
  }

  /** What was printed cannot be taken back. */
  replace(_key: string, lines: readonly string[]): void {
    this.print(...lines);
  }

  async nextLine(): Promise<Entered | null> {
    const text = await this.line();
    return text === null ? null : { text, literal: false };
  }

  ask(question: string): Promise<string | null> {
    this.print(question);
    return this.line();
  }

  giveBack(): boolean {
    return false;
  }

  keep(): void {}

  farewell(...lines: string[]): void {
    this.print(...lines);
  }

  askSecret(question: string): Promise<string | null> {
    return this.ask(question);
  }

  close(): void {
    this.reader.close();
  }

  private line(): Promise<string | null> {
    if (this.queue.length <= MAX_WAITING / 2 && !this.closed) this.reader.resume();
    return this.queue.next();
  }
}
