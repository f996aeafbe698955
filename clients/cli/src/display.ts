import type { Message, Outgoing } from '@tidings/sdk';
import type { OpenRoom } from './chat-parts';

/** How a chat is shown: line by line in a pipe, as a whole in a terminal. */
export interface Display {
  /** From now on what arrives is news. */
  begin(): void;
  /** Clears its timers. */
  end(): void;
  /** A chat is open; its messages are being asked for. */
  entered(room: OpenRoom): void;
  /** Its messages are here, as far as they are to be had; `about`: its person's presence. */
  opened(room: OpenRoom, messages: readonly Message[], about: string): void;
  closed(): void;
  /** Earlier messages than those shown so far. */
  earlier(messages: readonly Message[]): void;
  /** A chat that was opened without the server has what it lacked. */
  completed(messages: readonly Message[]): void;
  /** An own message was written, now or in an earlier run. */
  written(outgoing: Outgoing): void;
  /** Takes away what the program has said. */
  clear(): void;
}
