import type { ReadStream, WriteStream } from 'node:tty';
import { Editor } from './editor';
import { KeyReader, type Key, type KeyName } from './keys';
import { LineQueue } from './line-queue';
import { Remarks } from './remarks';
import { onlyColours, safeLine } from './safe-text';
import type { Chrome, Entered, Terminal, TerminalListeners, View } from './screen';
import { colours, plain, type Style } from './style';
import { displayWidth, layOut, rowsOf, shortened } from './width';

const ESC = String.fromCharCode(27);
/**
 * The alternate screen, no automatic wrap (a character that is wider than we think harms its row
 * only), bracketed paste, reports of the focus, and a wheel that does not press arrow keys.
 */
const ENTER = `${ESC}[?1049h${ESC}[?7l${ESC}[?2004h${ESC}[?1004h${ESC}[?1007l${ESC}[2J`;
const LEAVE = `${ESC}[0m${ESC}[?1004l${ESC}[?2004l${ESC}[?7h${ESC}[?1049l${ESC}[?25h`;
const BELL = '\u0007';

/** What changes within this time is drawn together, in milliseconds. */
const DRAW_EVERY_MS = 20;
/** A sequence or paste whose rest does not come within this time has no rest. */
const REST_MS = { key: 50, paste: 500 };
/** The bell rings once in this time, in milliseconds. */
const BELL_EVERY_MS = 1_000;
/** What is typed takes this part of the rows at most. */
const INPUT_SHARE = 3;
/** What was typed before its question was shown. */
const ANSWER = /^(y|yes|n|no)$/i;
/** Completions that are named. */
const MAX_NAMED = 12;

interface Question {
  text: string;
  secret: boolean;
  answer(line: string | null): void;
  /** What was being typed when it was asked. */
  draft: { text: string; literal: boolean; offered?: boolean };
}

/**
 * A terminal that is drawn as a whole: a view, a line of status, and what is being typed. It takes
 * keys at any time, whatever the program does.
 */
export class TerminalScreen implements Terminal {
  readonly style: Style;
  readonly interactive = true;
  private readonly queue = new LineQueue<Entered>();
  private readonly reader = new KeyReader();
  private readonly editor = new Editor();
  private readonly questions: Question[] = [];
  /** Keys behind an Enter, until what that begins has had its turn. */
  private readonly keys: Key[] = [];
  /** Somebody takes lines. Before that there are questions only, and what is typed is for the next one. */
  private takesLines = false;
  private asked = false;
  /** Enter was pressed between two questions, or before the first line is taken. */
  private enteredEarly = false;
  private view: View = new Remarks();
  private listeners: TerminalListeners = {};
  private chrome: () => Chrome = () => ({ prompt: '', left: [], right: [] });
  private note = '';
  /** Rows between the newest one and the last one that is shown. */
  private scrolled = 0;
  private focused = true;
  private drawn: string[] = [];
  private drawTimer: NodeJS.Timeout | null = null;
  private restTimer: NodeJS.Timeout | null = null;
  private lastBell = -Infinity;
  private readonly lastWords: string[] = [];
  private closed = false;
  /** No more input comes. */
  private over = false;

  constructor(
    private readonly input: ReadStream,
    private readonly terminal: WriteStream,
    private readonly onInterrupt: () => void,
  ) {
    this.style = process.env['NO_COLOR'] ? plain : colours;
    input.setEncoding('utf8');
    input.setRawMode(true);
    input.on('data', this.heard);
    input.on('end', this.ended);
    input.on('error', this.ended);
    terminal.on('error', this.ended);
    terminal.on('resize', this.resized);
    process.on('SIGCONT', this.resumed);
    process.on('exit', this.restore);
    terminal.write(ENTER);
    this.changed();
  }

  get columns(): number {
    return Math.max(20, this.terminal.columns || 80);
  }

  get rows(): number {
    return Math.max(4, this.terminal.rows || 24) - 2;
  }

  get asking(): boolean {
    return this.questions.length > 0;
  }

  get looked(): boolean {
    return this.focused && this.scrolled === 0 && !this.closed;
  }

  print(...lines: string[]): void {
    if (lines.length === 0) return;
    this.view.add(lines);
    this.changed();
  }

  replace(key: string, lines: readonly string[]): void {
    this.view.add(lines, key);
    this.changed();
  }

  renew(key: string, lines: readonly string[]): void {
    if (this.view.renew(key, lines)) this.changed();
  }

  show(view: View): void {
    this.view = view;
    this.scrolled = 0;
    this.changed();
  }

  frame(chrome: () => Chrome): void {
    this.chrome = chrome;
    this.changed();
  }

  hint(text: string): void {
    this.note = text;
    this.changed();
  }

  bell(): void {
    const now = performance.now();
    if (this.closed || now - this.lastBell < BELL_EVERY_MS) return;
    this.lastBell = now;
    this.terminal.write(BELL);
  }

  on(listeners: TerminalListeners): void {
    this.listeners = { ...this.listeners, ...listeners };
  }

  nextLine(): Promise<Entered | null> {
    this.takesLines = true;
    if (this.enteredEarly && !this.asking) this.enter();
    this.enteredEarly = false;
    return this.queue.next();
  }

  ask(question: string): Promise<string | null> {
    return this.question(question, false);
  }

  askSecret(question: string): Promise<string | null> {
    return this.question(question, true);
  }

  giveBack(text: string): boolean {
    this.editor.remember(text);
    const draft = { text, literal: text.startsWith('/'), offered: true };
    const question = this.questions[0];
    if (question) {
      if (question.draft.text === '') question.draft = draft;
    } else if (this.editor.text === '') {
      this.restoreDraft(draft);
      this.note = 'came back: Enter sends it, typing replaces it (↑ brings it back)';
    } else {
      this.note = 'a line came back: ↑ brings it';
    }
    this.changed();
    return true;
  }

  keep(text: string): void {
    this.editor.remember(text);
    this.note = 'a line of another chat came back: ↑ brings it';
    this.changed();
  }

  farewell(...lines: string[]): void {
    this.lastWords.push(...lines);
  }

  close(): void {
    if (this.closed) return;
    this.restore();
    this.input.off('data', this.heard);
    this.input.off('end', this.ended);
    this.input.pause();
    this.terminal.off('resize', this.resized);
    process.off('SIGCONT', this.resumed);
    process.off('exit', this.restore);
    this.ended();
  }

  /** Something to be shown has changed; it is drawn soon, together with what else changes. */
  changed(): void {
    if (this.closed) return;
    this.drawTimer ??= setTimeout(() => {
      this.drawTimer = null;
      this.draw();
    }, DRAW_EVERY_MS);
  }

  private question(text: string, secret: boolean): Promise<string | null> {
    if (this.closed || this.over) return Promise.resolve(null);
    return new Promise((resolve) => {
      const draft = { text: '', literal: false };
      this.asked = true;
      this.questions.push({ text, secret, answer: resolve, draft });
      this.listeners.asks?.();
      if (this.questions.length === 1) this.beginQuestion();
      this.changed();
    });
  }

  /** What was being typed makes room for the answer, unless it looks like one. */
  private beginQuestion(): void {
    this.enteredEarly = false;
    if (!this.takesLines || ANSWER.test(this.editor.text)) return;
    const { offered } = this.editor;
    this.questions[0]!.draft = { ...this.editor.take(), offered };
  }

  private restoreDraft({ text, literal, offered }: Question['draft']): void {
    if (offered && text !== '') this.editor.offer(text, literal);
    else this.editor.set(text, literal);
  }

  private endQuestion(answer: string | null): void {
    const question = this.questions.shift();
    if (!question) return;
    this.restoreDraft(question.draft);
    if (this.questions.length > 0) this.beginQuestion();
    question.answer(answer);
    this.changed();
  }

  private readonly heard = (input: string): void => {
    if (this.restTimer) clearTimeout(this.restTimer);
    this.restTimer = null;
    this.takeAll(this.reader.feed(input));
    if (!this.reader.pending || this.closed) return;
    const ms = this.reader.pasting ? REST_MS.paste : REST_MS.key;
    this.restTimer = setTimeout(() => {
      this.restTimer = null;
      this.takeAll(this.reader.flush());
    }, ms);
  };

  /**
   * Takes keys. What comes together with an Enter and behind it is taken when a question that the
   * Enter leads to is there: it may be the answer, and a password.
   */
  private takeAll(keys: Iterable<Key>): void {
    const waiting = this.keys.length > 0;
    this.keys.push(...keys);
    if (!waiting) this.takeNext();
  }

  private takeNext(): void {
    for (let key = this.keys[0]; key && !this.closed; key = this.keys[0]) {
      const entered = key.kind === 'key' && key.name === 'enter';
      this.take(key);
      if (entered && this.keys.length > 1) {
        setImmediate(() => {
          this.keys.shift();
          this.takeNext();
        });
        return;
      }
      this.keys.shift();
    }
  }

  private take(key: Key): void {
    if (this.closed) return;
    const { text } = this.editor;
    const answering = this.asking;
    this.note = '';
    // a terminal reports its focus by itself; to get it takes a person
    if (key.kind !== 'focus' || key.on) this.listeners.pressed?.();
    switch (key.kind) {
      case 'focus':
        this.focused = key.on;
        this.listeners.looks?.();
        break;
      case 'text':
        this.editor.insert(key.text);
        break;
      case 'paste':
        this.paste(key.text, key.cut);
        break;
      case 'key':
        this.press(key.name);
    }
    if (this.editor.text !== text && !answering && !this.asking) {
      this.listeners.typed?.(this.editor.literal ? ` ${this.editor.text}` : this.editor.text);
    }
    this.changed();
  }

  private paste(text: string, cut: boolean): void {
    // An answer has one line.
    const whole = this.questions.length > 0 ? text.split('\n')[0]! : text;
    this.editor.insert(whole, true);
    if (cut) this.note = 'pasted in part: that was too much for a message';
    else if (this.editor.literal && whole.startsWith('/') && this.questions.length === 0)
      this.note = 'pasted: this is a message, not a command';
  }

  private press(name: KeyName): void {
    switch (name) {
      case 'interrupt':
        return this.onInterrupt();
      case 'end-of-input':
        if (this.editor.text !== '') this.editor.press('delete');
        else this.ended();
        return;
      case 'enter':
        return this.enter();
      case 'escape':
        if (this.questions.length > 0) this.endQuestion(null);
        else this.listeners.escape?.();
        return;
      case 'tab':
        void this.complete();
        return;
      case 'page-up':
        return this.scroll(1);
      case 'page-down':
        return this.scroll(-1);
      case 'redraw':
        this.drawn = [];
        return;
      case 'suspend':
        return this.suspend();
      case 'up':
      case 'down':
        if (this.questions.length === 0) this.editor.press(name);
        return;
      default:
        this.editor.press(name);
    }
  }

  private enter(): void {
    const question = this.questions[0];
    if (question) {
      const { text } = this.editor.take();
      if (!question.secret) this.view.add([`${question.text} ${safeLine(text)}`]);
      return this.endQuestion(text);
    }
    if (!this.takesLines && this.asked) {
      this.enteredEarly = true;
      return;
    }
    const before = this.editor.text.slice(0, this.editor.cursor);
    if (before.endsWith('\\') && this.editor.cursor === this.editor.text.length) {
      this.editor.press('backspace');
      this.editor.press('newline');
      return;
    }
    const entered = this.editor.take();
    this.editor.remember(entered.text);
    if (this.scrolled > 0) this.scrollTo(0);
    this.queue.push(entered);
  }

  private async complete(): Promise<void> {
    const { complete } = this.listeners;
    if (!complete || this.questions.length > 0 || this.editor.literal) return;
    const before = this.editor.text.slice(0, this.editor.cursor);
    const { start, candidates } = await complete(before);
    if (this.closed || this.editor.text.slice(0, this.editor.cursor) !== before) return;
    if (candidates.length === 0) return;
    const common = commonStart(candidates);
    if (common.length >= before.length - start && common !== '') {
      this.editor.replaceFrom(start, common);
    }
    if (candidates.length > 1) {
      const named = candidates.slice(0, MAX_NAMED).map((one) => safeLine(one.trim()));
      const more = candidates.length - named.length;
      this.note = more > 0 ? `${named.join('  ')}  … ${more} more` : named.join('  ');
    }
    this.changed();
  }

  private scroll(pages: number): void {
    const page = Math.max(1, this.viewRows - 1);
    const wanted = this.scrolled + pages * page;
    const all = this.view.rows(this.columns, Math.max(0, wanted) + this.viewRows).length;
    const most = Math.max(0, all - this.viewRows);
    if (wanted > most) this.listeners.top?.();
    this.scrollTo(Math.min(Math.max(0, wanted), most));
  }

  private scrollTo(rows: number): void {
    const before = this.looked;
    this.scrolled = rows;
    if (this.looked !== before) this.listeners.looks?.();
  }

  /** Rows for the view, given what is being typed. */
  private get viewRows(): number {
    return Math.max(1, this.rows + 1 - this.inputRows().rows.length);
  }

  private inputRows(): ReturnType<typeof layOut> {
    const [question] = this.questions;
    const prompt = question
      ? `${question.text} `
      : shortenedPrompt(this.chrome().prompt, Math.floor(this.columns / 2));
    const shown = question?.secret ? '' : this.editor.text;
    const laid = layOut(prompt, shown, question?.secret ? 0 : this.editor.cursor, this.columns);
    if (this.editor.offered && !question) this.dimmed(laid, prompt.length);
    const most = Math.max(1, Math.floor(this.rows / INPUT_SHARE));
    if (laid.rows.length <= most) return laid;
    const from = Math.min(Math.max(0, laid.row - most + 1), laid.rows.length - most);
    return {
      rows: laid.rows.slice(from, from + most),
      row: laid.row - from,
      before: laid.before,
    };
  }

  /** A text that came back looks as if it was not there yet; the cursor is at its end. */
  private dimmed(laid: ReturnType<typeof layOut>, promptLength: number): void {
    const { rows, row } = laid;
    rows.forEach((text, i) => {
      const from = i === 0 ? promptLength : 0;
      rows[i] = text.slice(0, from) + this.style.dim(text.slice(from));
    });
    laid.before = rows[row]!;
  }

  private draw(): void {
    if (this.closed) return;
    const { columns } = this;
    const input = this.inputRows();
    const height = Math.max(1, this.rows + 1 - input.rows.length);
    const all = this.view.rows(columns, height + this.scrolled);
    this.scrolled = Math.min(this.scrolled, Math.max(0, all.length - height));
    const end = all.length - this.scrolled;
    const shown = all.slice(Math.max(0, end - height), end);
    while (shown.length < height) shown.push('');
    const rows = [...shown, this.statusRow(columns), ...input.rows].map(onlyColours);
    const cursorRow = height + 1 + input.row;
    this.write(rows, cursorRow, onlyColours(input.before));
  }

  /** Writes the rows that are not there yet, the one with the cursor last. */
  private write(rows: readonly string[], cursorRow: number, before: string): void {
    let output = `${ESC}[?25l`;
    rows.forEach((row, i) => {
      if (i === cursorRow || this.drawn[i] === row) return;
      output += `${ESC}[${i + 1};1H${ESC}[0m${ESC}[2K${row}`;
    });
    const behind = rows[cursorRow]!.slice(before.length);
    // The terminal itself keeps the place: it may count columns in another way.
    output += `${ESC}[${cursorRow + 1};1H${ESC}[0m${ESC}[2K${before}${ESC}7${behind}${ESC}8`;
    if (this.drawn.length > rows.length)
      output += `${ESC}7${ESC}[${rows.length + 1};1H${ESC}[J${ESC}8`;
    this.drawn = [...rows];
    this.terminal.write(`${output}${ESC}[?25h`);
  }

  private statusRow(columns: number): string {
    const { dim } = this.style;
    const more = this.scrolled > 0 ? ['more below: Page Down'] : [];
    const chrome = this.chrome();
    const left = this.note === '' ? [...chrome.left, ...more] : [this.note];
    const right = chrome.right.join(' · ');
    const start = left.length === 0 ? '' : `── ${left.join(' · ')} `;
    const room = columns - displayWidth(right) - (right === '' ? 0 : 4);
    const shownLeft = shortened(start, Math.max(8, room));
    const end = right === '' ? '' : ` ${right} ──`;
    const rule = '─'.repeat(Math.max(1, columns - displayWidth(shownLeft) - displayWidth(end)));
    return dim(rowsOf(`${shownLeft}${rule}${end}`, columns)[0]!);
  }

  private suspend(): void {
    this.terminal.write(LEAVE);
    this.input.setRawMode(false);
    process.kill(process.pid, 'SIGTSTP');
  }

  private readonly resumed = (): void => {
    if (this.closed) return;
    this.input.setRawMode(true);
    this.terminal.write(ENTER);
    this.drawn = [];
    this.changed();
  };

  private readonly resized = (): void => {
    this.drawn = [];
    if (!this.closed) this.terminal.write(`${ESC}[2J`);
    this.changed();
  };

  /** No more input comes: whoever waits for it is told. */
  private readonly ended = (): void => {
    this.over = true;
    for (const { answer } of this.questions.splice(0)) answer(null);
    this.queue.end();
  };

  /** Leaves the terminal as it was. Also when the program ends in another way than it should. */
  private readonly restore = (): void => {
    if (this.closed) return;
    this.closed = true;
    for (const timer of [this.drawTimer, this.restTimer]) if (timer) clearTimeout(timer);
    const words = this.lastWords.map((line) => onlyColours(line) + '\n').join('');
    try {
      this.input.setRawMode(false);
      this.terminal.write(LEAVE + words);
    } catch {
      // The terminal is gone.
    }
  };
}

/** A prompt that leaves room for what is typed. */
function shortenedPrompt(prompt: string, width: number): string {
  return displayWidth(prompt) <= width ? prompt : `${shortened(prompt, width - 2)}> `;
}

/** What all these begin with. */
function commonStart(texts: readonly string[]): string {
  const [first = '', ...others] = texts;
  let length = first.length;
  for (const text of others) {
    while (!text.toLowerCase().startsWith(first.slice(0, length).toLowerCase())) length--;
  }
  return first.slice(0, length).toWellFormed() === first.slice(0, length)
    ? first.slice(0, length)
    : first.slice(0, length - 1);
}
