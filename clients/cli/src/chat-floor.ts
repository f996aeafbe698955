import type { Message } from '@tidings/sdk';
import type { ChatParts, OpenRoom } from './chat-parts';
import type { Transcript } from './transcript';

/** What the parts of a chat know of each other. */
export interface ChatFloor extends ChatParts {
  transcript: Transcript;
  /** The chat on the screen; null: none. */
  room(): OpenRoom | null;
  /** Prints a remark of the program itself. */
  status(text: string): void;
  /** The messages of a chat that can be shown, in their order. */
  texts(room: OpenRoom): Message[];
  /** Its newest own message that is in the log and was not deleted; `back` 2: the one before. */
  lastOwn(back?: number): Message | undefined;
  /** The first line of a chat. */
  header(room: OpenRoom, presence: string): string;
}
