import type { Style } from './style';

/** A line that was entered. */
export interface Entered {
  text: string;
  /** It is a message whatever it looks like: its beginning was pasted. */
  literal: boolean;
}

/** What the completion of the text before the cursor can be. */
export interface Completion {
  /** Index from which the text is replaced. */
  start: number;
  candidates: string[];
}

/** Where the conversation with the person takes place: a terminal, or pipes. */
export interface Screen {
  /** Columns for text. */
  readonly columns: number;
  readonly style: Style;
  /** Whether somebody sits there: may be asked again, sees what is waiting. */
  readonly interactive: boolean;
  /** Prints lines. */
  print(...lines: string[]): void;
  /** Prints lines, in a terminal instead of those printed under the same key. */
  replace(key: string, lines: readonly string[]): void;
  /** The next line; null at the end of the input. */
  nextLine(): Promise<Entered | null>;
  /** Asks a question; null at the end of the input, or when there shall be no answer. */
  ask(question: string): Promise<string | null>;
  /** Asks without showing what is typed. */
  askSecret(question: string): Promise<string | null>;
  /** Gives a text back to who typed it: it could not be done. False: nobody sits there. */
  giveBack(text: string): boolean;
  /** Keeps a text for who typed it, but out of the input line: Enter must not send it where they are now. */
  keep(text: string): void;
  /** Prints lines that are read when the program is over. */
  farewell(...lines: string[]): void;
  /** Gives the terminal back as it was. */
  close(): void;
}

/** What a terminal shows above the prompt. */
export interface View {
  /** Its last rows for so many columns, at least `atLeast` if there are as many; newest last. */
  rows(columns: number, atLeast: number): string[];
  /** Takes lines that the program prints; `key`: they replace those of the same key. */
  add(lines: readonly string[], key?: string): void;
  /** Puts lines in the place of those of a key, on the screen or not; false: they are gone. */
  renew(key: string, lines: readonly string[]): boolean;
  /** Empties it, as far as it can be. */
  clear(): void;
}

/** What is around a view: the prompt, and the line of status above it. */
export interface Chrome {
  prompt: string;
  left: readonly string[];
  right: readonly string[];
}

/** A terminal, as the part of the program sees it that draws on it. */
export interface Terminal extends Screen {
  readonly interactive: true;
  /** Rows for a view. */
  readonly rows: number;
  /** Whether the person looks at the newest rows: the terminal has the focus, nothing is scrolled. */
  readonly looked: boolean;
  /** Shows a view from now on. */
  show(view: View): void;
  /** Puts lines in the place of those printed under a key, as far as they are there yet. */
  renew(key: string, lines: readonly string[]): void;
  /** Something to be shown has changed. */
  changed(): void;
  /** Whether a question waits for its answer. */
  readonly asking: boolean;
  /** What is around the view; asked whenever it is drawn. */
  frame(chrome: () => Chrome): void;
  /** A word behind the status until the next key. */
  hint(text: string): void;
  bell(): void;
  on(listeners: TerminalListeners): void;
}

/** Whether somebody sits there, at a terminal. */
export function isTerminal(screen: Screen): screen is Terminal {
  return screen.interactive;
}

export interface TerminalListeners {
  /** The text that is being typed has changed. */
  typed?(text: string): void;
  /** A key was pressed. */
  pressed?(): void;
  /** {@link Terminal.looked} has changed. */
  looks?(): void;
  /** Scrolled beyond the oldest row. */
  top?(): void;
  /** Escape was pressed where no question waits for an answer. */
  escape?(): void;
  /** A question begins. */
  asks?(): void;
  complete?(before: string): Promise<Completion>;
}
