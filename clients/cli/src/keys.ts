/** Keys that do something, by what they do. */
export type KeyName =
  | 'enter'
  | 'newline'
  | 'tab'
  | 'backspace'
  | 'delete'
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'home'
  | 'end'
  | 'word-left'
  | 'word-right'
  | 'erase-word'
  | 'erase-before'
  | 'erase-behind'
  | 'page-up'
  | 'page-down'
  | 'escape'
  | 'redraw'
  | 'suspend'
  | 'end-of-input'
  | 'interrupt';

/** What a keyboard, or the terminal itself, says. */
export type Key =
  | { kind: 'text'; text: string }
  /** Pasted in one piece; `cut`: the end of it was too much. */
  | { kind: 'paste'; text: string; cut: boolean }
  | { kind: 'key'; name: KeyName }
  | { kind: 'focus'; on: boolean };

const ESC = String.fromCharCode(27);
const PASTE_BEGINS = `${ESC}[200~`;
const PASTE_ENDS = `${ESC}[201~`;
/** More of one paste is left out: no message takes that much. UTF-16 units. */
const MAX_PASTED = 64 * 1024;
/** A sequence that is longer is none. */
const LONGEST_SEQUENCE = 64;

/** Control characters, as terminals send them for keys. */
const CONTROLS: Partial<Record<string, KeyName>> = {
  '\u0001': 'home',
  '\u0002': 'left',
  '\u0003': 'interrupt',
  '\u0004': 'end-of-input',
  '\u0005': 'end',
  '\u0006': 'right',
  '\b': 'backspace',
  '\t': 'tab',
  '\n': 'enter',
  '\u000b': 'erase-behind',
  '\f': 'redraw',
  '\r': 'enter',
  '\u000e': 'down',
  '\u0010': 'up',
  '\u0015': 'erase-before',
  '\u0017': 'erase-word',
  '\u001a': 'suspend',
  '\u007f': 'backspace',
};

/** Sequences behind ESC (ECMA-48, and what xterm, VTE, rxvt, tmux and kitty send). */
const SEQUENCES: Partial<Record<string, KeyName>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  '[H': 'home',
  '[F': 'end',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[7~': 'home',
  '[4~': 'end',
  '[8~': 'end',
  '[3~': 'delete',
  '[5~': 'page-up',
  '[6~': 'page-down',
  '[1;5C': 'word-right',
  '[1;3C': 'word-right',
  '[1;5D': 'word-left',
  '[1;3D': 'word-left',
  f: 'word-right',
  b: 'word-left',
  '\u007f': 'erase-word',
  '\r': 'newline',
  '\n': 'newline',
  '[13;2u': 'newline',
  '[13;3u': 'newline',
  '[27;2;13~': 'newline',
  '[27;3;13~': 'newline',
};

/** A whole sequence behind ESC: CSI, SS3, or ESC and one character (Alt). */
const SEQUENCE = /^(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O])/u;
/** The beginning of one, of which the rest is still to come. */
const BEGINNING = /^(?:\[[0-?]*[ -/]*|O)?$/;

/**
 * Makes keys of what a terminal sends, wherever it is cut into pieces. What is pasted (mode 2004)
 * comes in one piece, and nothing in it is a key.
 */
export class KeyReader {
  private rest = '';
  private pasted: string[] | null = null;
  private pastedLength = 0;

  /** Whether something is incomplete: {@link flush} it when nothing more comes. */
  get pending(): boolean {
    return this.rest !== '' || this.pasted !== null;
  }

  /** Whether the end of a paste is still to come. */
  get pasting(): boolean {
    return this.pasted !== null;
  }

  /** Takes what has arrived; gives the keys that are complete. */
  feed(input: string): Key[] {
    const keys: Key[] = [];
    this.rest += input;
    while (this.rest !== '') {
      const before = this.rest;
      if (this.pasted) this.takePaste(keys);
      else this.takeKey(keys);
      if (this.rest === before) break;
    }
    return keys;
  }

  /** Nothing more comes: ESC alone is a key, and a paste that does not end has ended. */
  flush(): Key[] {
    const keys: Key[] = [];
    if (this.pasted) {
      const { rest } = this;
      this.rest = '';
      this.keep(rest);
      this.endPaste(keys);
      // Whoever waits for the end of a paste that never comes must be able to leave.
      if (rest.endsWith('\u0003')) keys.push({ kind: 'key', name: 'interrupt' });
    } else if (this.rest === ESC) {
      keys.push({ kind: 'key', name: 'escape' });
    }
    this.rest = '';
    return keys;
  }

  private takeKey(keys: Key[]): void {
    const { rest } = this;
    if (rest.startsWith(PASTE_BEGINS)) {
      this.rest = rest.slice(PASTE_BEGINS.length);
      this.pasted = [];
      this.pastedLength = 0;
      return;
    }
    if (rest.startsWith(ESC)) return this.takeSequence(keys);
    const name = CONTROLS[rest[0]!];
    if (name !== undefined) {
      this.rest = rest.slice(1);
      keys.push({ kind: 'key', name });
      return;
    }
    const [run] = /^[^\p{Cc}]*/u.exec(rest)!;
    this.rest = rest.slice(Math.max(1, run.length));
    if (run !== '') keys.push({ kind: 'text', text: run.toWellFormed() });
  }

  private takeSequence(keys: Key[]): void {
    const behind = this.rest.slice(1);
    if (behind.startsWith(ESC)) {
      this.rest = behind;
      keys.push({ kind: 'key', name: 'escape' });
      return;
    }
    if (behind.length < LONGEST_SEQUENCE && BEGINNING.test(behind)) return;
    const [sequence] = SEQUENCE.exec(behind) ?? /^(?:\[[0-?]*[ -/]*|O)?/u.exec(behind)!;
    this.rest = behind.slice(sequence.length);
    if (sequence === '[I' || sequence === '[O') {
      keys.push({ kind: 'focus', on: sequence === '[I' });
      return;
    }
    const name = SEQUENCES[sequence] ?? (sequence === '\u0003' ? 'interrupt' : undefined);
    if (name !== undefined) keys.push({ kind: 'key', name });
  }

  private takePaste(keys: Key[]): void {
    const end = this.rest.indexOf(PASTE_ENDS);
    if (end >= 0) {
      this.keep(this.rest.slice(0, end));
      this.rest = this.rest.slice(end + PASTE_ENDS.length);
      return this.endPaste(keys);
    }
    // The end may be here in part.
    const safe = Math.max(0, this.rest.length - PASTE_ENDS.length + 1);
    this.keep(this.rest.slice(0, safe));
    this.rest = this.rest.slice(safe);
  }

  private keep(text: string): void {
    this.pastedLength += text.length;
    if (this.pastedLength - text.length < MAX_PASTED) this.pasted!.push(text);
  }

  private endPaste(keys: Key[]): void {
    const whole = this.pasted!.join('').slice(0, MAX_PASTED);
    const text = pastedText(whole);
    const cut = this.pastedLength > MAX_PASTED;
    this.pasted = null;
    if (text !== '') keys.push({ kind: 'paste', text, cut });
  }
}

/** Text that was pasted, without what could be taken for keys. */
function pastedText(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').replaceAll('\t', '  ').toWellFormed();
  return lines.replace(/[^\P{Cc}\n]/gu, '');
}
