import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { LineQueue } from './line-queue';
import type { Screen } from './screen';
import { plain } from './style';

/** Waiting lines beyond this make the input wait. */
const MAX_WAITING = 1_000;

/** Reads commands line by line and prints plain lines: for scripts and tests. */
export class PipeScreen implements Screen {
  readonly columns = Infinity;
  readonly rows = Infinity;
  readonly style = plain;
  readonly interactive = false;
  private readonly queue = new LineQueue();
  private readonly reader: Interface;

  constructor(
    input: Readable,
    private readonly output: Writable,
  ) {
    this.reader = createInterface({ input, terminal: false });
    this.reader.on('line', (line) => {
      this.queue.push(line);
      if (this.queue.length > MAX_WAITING) this.reader.pause();
    });
    this.reader.on('close', () => this.queue.end());
  }

  print(...lines: string[]): void {
    if (lines.length > 0) this.output.write(lines.join('\n') + '\n');
  }

  /** What was printed cannot be taken back. */
  redraw(): void {}

  setPrompt(): void {}

  nextLine(): Promise<string | null> {
    if (this.queue.length <= MAX_WAITING / 2) this.reader.resume();
    return this.queue.next();
  }

  ask(question: string): Promise<string | null> {
    this.print(question);
    return this.nextLine();
  }

  askSecret(question: string): Promise<string | null> {
    return this.ask(question);
  }

  close(): void {
    this.reader.close();
  }
}
