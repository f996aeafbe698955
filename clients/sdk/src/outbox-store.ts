import type { Content } from '@tidings/common/contracts/content';
import type { Extras } from '@tidings/common/contracts/extras';

/** A message that waits to be sent, as it is kept. */
export interface OutboxRecord extends Extras {
  messageId: string;
  /** The conversation, or else the user it goes to. */
  conversationId?: string;
  to?: string;
  content: Content;
  /** When it was written: Unix milliseconds by the server's clock, as well as known. */
  writtenAt: number;
  /** When it is given up, by the same clock: the conversation is a temporary one. */
  expiresAt?: number;
}

/**
 * Where an outbox keeps its messages. A call that gives nothing was carried out at once; a promise
 * settles when the message would survive a crash.
 */
export interface OutboxStore {
  /** What was kept and not removed, in the order in which it was added. */
  load(): OutboxRecord[] | Promise<OutboxRecord[]>;
  add(record: OutboxRecord): void | Promise<void>;
  /**
   * Need not survive a crash: sending again does no harm. Nothing of the message is left in the
   * store some seconds later, after a crash from the next `load` on.
   */
  remove(messageId: string): void;
  /** Settles when everything is written. */
  close(): void | Promise<void>;
}

/** Keeps an outbox as long as the process lives. */
export class MemoryOutboxStore implements OutboxStore {
  private readonly records = new Map<string, OutboxRecord>();

  load(): OutboxRecord[] {
    return [...this.records.values()];
  }

  add(record: OutboxRecord): void {
    this.records.set(record.messageId, record);
  }

  remove(messageId: string): void {
    this.records.delete(messageId);
  }

  close(): void {}
}
