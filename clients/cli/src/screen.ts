import type { Style } from './style';

/** Where the conversation with the person takes place: a terminal, or pipes. */
export interface Screen {
  /** Columns for text. */
  readonly columns: number;
  /** Rows of the window. */
  readonly rows: number;
  readonly style: Style;
  /** Whether somebody sits there: may be asked again, sees what is waiting. */
  readonly interactive: boolean;
  /** Prints lines above what is being typed. */
  print(...lines: string[]): void;
  /**
   * Shows these lines instead of what is in the window, where that can be done: something in it has
   * to go. `deep`: what the terminal keeps of earlier lines goes, too.
   */
  redraw(lines: readonly string[], deep?: boolean): void;
  /** Lines between the text and the prompt, and the prompt itself. */
  setPrompt(footer: readonly string[], prompt: string): void;
  /** The next line; null at the end of the input. */
  nextLine(): Promise<string | null>;
  /** Asks a question; null at the end of the input. */
  ask(question: string): Promise<string | null>;
  /** Asks without showing what is typed. */
  askSecret(question: string): Promise<string | null>;
  /** Tells of every change of the line that is being typed; where nobody sits there is none. */
  onInput?(listener: (line: string) => void): void;
  /** Gives the terminal back as it was. */
  close(): void;
}
