import type { Content } from '@tidings/protocol/content';
import type { Extras } from '@tidings/protocol/extras';

/** A message that waits to be sent, as it is stored. */
export interface OutboxRecord extends Extras {
  messageId: string;
  /** The conversation, or the user it goes to. */
  conversationId?: string;
  to?: string;
  content: Content;
  /** When it was written, in Unix milliseconds by the server's clock, as well as known. */
  writtenAt: number;
  /** When it expires unsent, by the same clock: the conversation is a temporary one. */
  expiresAt?: number;
}

/** An unanswered change to one of this user's messages, as it is stored. */
export interface ChangeRecord {
  changeId: string;
  messageId: string;
  /** Absent: the message waits in the outbox, and its conversation is not known yet. */
  conversationId?: string;
  /** The new content; null: delete the message. */
  content: Content | null;
}

/** Stores changes until they are answered, as {@link OutboxStore} stores messages. */
export interface ChangeStore {
  /** Called after the `load` of the outbox. */
  load(): ChangeRecord[] | Promise<ChangeRecord[]>;
  /** Replaces a record with the same id. */
  add(record: ChangeRecord): void | Promise<void>;
  remove(changeId: string): void;
}

/**
 * Where an outbox stores its messages. A call that returns nothing is done at once; a promise
 * resolves when the message would survive a crash.
 */
export interface OutboxStore {
  /** Absent: changes live as long as the client. */
  readonly changes?: ChangeStore;
  /** What was added and not removed, in the order it was added. */
  load(): OutboxRecord[] | Promise<OutboxRecord[]>;
  add(record: OutboxRecord): void | Promise<void>;
  /**
   * The removal need not survive a crash: sending again does no harm. Some seconds later nothing of
   * the message is left in the store; after a crash, from the next `load` on.
   */
  remove(messageId: string): void;
  /** Resolves when everything is written. */
  close(): void | Promise<void>;
}

/** Keeps an outbox for the life of the process. */
export class MemoryOutboxStore implements OutboxStore {
  readonly changes: ChangeStore = {
    load: () => [...this.wanted.values()],
    add: (record) => void this.wanted.set(record.changeId, record),
    remove: (changeId) => void this.wanted.delete(changeId),
  };
  private readonly records = new Map<string, OutboxRecord>();
  private readonly wanted = new Map<string, ChangeRecord>();

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
