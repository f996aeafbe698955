import type { ChatParts, OpenRoom } from './chat-parts';
import type { Transcript } from './transcript';

/** What the parts of a chat know of each other. */
export interface ChatFloor extends ChatParts {
  transcript: Transcript;
  /** The chat on the screen; null: none. */
  room(): OpenRoom | null;
  /** Prints a remark of the program itself. */
  status(text: string): void;
  /** Draws the prompt anew. */
  prompt(): void;
}
