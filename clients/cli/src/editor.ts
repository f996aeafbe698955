import type { KeyName } from './keys';
import { displayWidth, graphemes } from './width';

/** So many entered lines can be brought back. */
const MAX_HISTORY = 200;

/** The text that is being typed: several lines of it, too. Knows nothing of terminals. */
export class Editor {
  private value = '';
  private at = 0;
  /** The first character was pasted, not typed: what it begins is no command. */
  private pastedFirst = false;
  /** It came back whole and nobody has touched it: typing puts something else in its place. */
  private cameBack = false;
  private readonly history: string[] = [];
  /** Which entry of the history is shown; null: what is being typed. */
  private recalled: number | null = null;
  private draft = '';

  get text(): string {
    return this.value;
  }

  /** Where the cursor is: UTF-16 units before it. */
  get cursor(): number {
    return this.at;
  }

  /** Whether its beginning was pasted. */
  get literal(): boolean {
    return this.pastedFirst;
  }

  /** Whether a text that came back stands there, which typing replaces. */
  get offered(): boolean {
    return this.cameBack;
  }

  /** Puts text where the cursor is; in the place of a text that came back. */
  insert(text: string, pasted = false): void {
    if (text === '') return;
    if (this.cameBack) this.set('');
    if (this.at === 0) this.pastedFirst = pasted;
    this.value = this.value.slice(0, this.at) + text + this.value.slice(this.at);
    this.at += text.length;
  }

  /** Replaces what is before the cursor, from an index on. */
  replaceFrom(start: number, text: string): void {
    this.value = this.value.slice(0, start) + text + this.value.slice(this.at);
    this.at = start + text.length;
    this.cameBack = false;
  }

  /** Shows a text that came back: Enter takes it as it is, typing replaces it, other keys begin to edit it. */
  offer(text: string, literal = false): void {
    this.set(text, literal);
    this.cameBack = true;
  }

  /** Takes everything out; gives what it was. */
  take(): { text: string; literal: boolean } {
    const taken = { text: this.value, literal: this.pastedFirst };
    this.set('');
    return taken;
  }

  /** Shows another text, with the cursor behind it. */
  set(text: string, literal = false): void {
    this.value = text;
    this.at = text.length;
    this.pastedFirst = literal;
    this.cameBack = false;
    this.recalled = null;
  }

  /** Notes a line that can be brought back. */
  remember(text: string): void {
    if (text.trim() === '' || this.history.at(-1) === text) return;
    this.history.push(text);
    if (this.history.length > MAX_HISTORY) this.history.shift();
  }

  /** Does what a key does; false: it does nothing here. */
  press(name: KeyName): boolean {
    this.cameBack = false;
    switch (name) {
      case 'newline':
        this.insert('\n');
        break;
      case 'left':
        this.at = this.before();
        break;
      case 'right':
        this.at = this.behind();
        break;
      case 'home':
        this.at = this.lineStart();
        break;
      case 'end':
        this.at = this.lineEnd();
        break;
      case 'word-left':
        this.at = this.wordBefore();
        break;
      case 'word-right':
        this.at += /^\s*\S*/u.exec(this.value.slice(this.at))![0].length;
        break;
      case 'backspace':
        this.erase(this.before(), this.at);
        break;
      case 'delete':
        this.erase(this.at, this.behind());
        break;
      case 'erase-word':
        this.erase(this.wordBefore(), this.at);
        break;
      case 'erase-before':
        this.erase(this.lineStart(), this.at);
        break;
      case 'erase-behind':
        this.erase(this.at, this.lineEnd());
        break;
      case 'up':
      case 'down':
        this.vertical(name === 'up' ? -1 : 1);
        break;
      default:
        return false;
    }
    return true;
  }

  private erase(from: number, to: number): void {
    this.value = this.value.slice(0, from) + this.value.slice(to);
    this.at = from;
    if (this.value === '') this.pastedFirst = false;
  }

  private before(): number {
    const last = graphemes(this.value.slice(0, this.at)).at(-1) ?? '';
    return this.at - last.length;
  }

  private behind(): number {
    const [first = ''] = graphemes(this.value.slice(this.at));
    return this.at + first.length;
  }

  private wordBefore(): number {
    return this.at - /\S*\s*$/u.exec(this.value.slice(0, this.at))![0].length;
  }

  private lineStart(): number {
    return this.value.lastIndexOf('\n', this.at - 1) + 1;
  }

  private lineEnd(): number {
    const end = this.value.indexOf('\n', this.at);
    return end < 0 ? this.value.length : end;
  }

  /** To the line above or below; beyond the first and the last one to what was entered before. */
  private vertical(step: -1 | 1): void {
    const start = this.lineStart();
    const target = step < 0 ? start - 1 : this.lineEnd() + 1;
    if (target < 0 || target > this.value.length) return this.recall(step);
    const column = displayWidth(this.value.slice(start, this.at));
    const from = step < 0 ? this.value.lastIndexOf('\n', target - 1) + 1 : target;
    const end = step < 0 ? target : this.value.indexOf('\n', target);
    const line = this.value.slice(from, end < 0 ? undefined : end);
    let width = 0;
    let index = 0;
    for (const grapheme of graphemes(line)) {
      if (width >= column) break;
      width += displayWidth(grapheme);
      index += grapheme.length;
    }
    this.at = from + index;
  }

  private recall(step: -1 | 1): void {
    const index = (this.recalled ?? this.history.length) + step;
    if (index < 0 || index > this.history.length || this.history.length === 0) return;
    if (this.recalled === null) {
      if (step > 0) return;
      this.draft = this.value;
    }
    if (index === this.history.length) return this.set(this.draft);
    this.set(this.history[index]!);
    this.recalled = index;
  }
}
