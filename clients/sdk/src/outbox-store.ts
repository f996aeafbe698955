import type { Content } from '@tidings/protocol/content';
import type { Extras } from '@tidings/protocol/extras';

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

/** A change of an own message that has no answer yet, as it is kept. */
export interface ChangeRecord {
  changeId: string;
  messageId: string;
  /** Left out: the message waits in the outbox, and its conversation is not known yet. */
  conversationId?: string;
  /** What it shall say; null: it is to be deleted. */
  content: Content | null;
}

/** Where changes are kept until they are answered: as {@link OutboxStore} keeps messages. */
export interface ChangeStore {
  /** After the `load` of the outbox. */
  load(): ChangeRecord[] | Promise<ChangeRecord[]>;
  /** A record of the same id is replaced. */
  add(record: ChangeRecord): void | Promise<void>;
  remove(changeId: string): void;
}

/**
 * Where an outbox keeps its messages. A call that gives nothing was carried out at once; a promise
 * settles when the message would survive a crash.
 */
export interface OutboxStore {
  /** Left out: changes live as long as the client. */
  readonly changes?: ChangeStore;
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
