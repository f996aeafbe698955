import type { Message } from '@tidings/protocol/content';
import type { ErrorFrame, ReceiptFrame, SyncedConversation } from '@tidings/protocol/frames';
import type { Conversation, Receipt } from '@tidings/protocol/http';
import { comparePositions } from '@tidings/protocol/positions';
import { NO_MARKS, type Marks } from '@tidings/protocol/receipt-marks';
import type { ClientEvents } from './client-events';
import type { Clock } from './clock';
import type { ConversationModel } from './conversation-model';
import { isReceipt } from './frames';
import { MarkSender } from './mark-sender';
import { ReceiptBook } from './receipt-book';
import type { ServerTime } from './server-time';

/** How many others have received and read up to a position, as far as visible. */
export interface ReadBy {
  delivered: number;
  read: number;
  /** How many others are known. */
  of: number;
}

export interface ReceiptsDeps {
  userId: string;
  clock: Clock;
  serverTime: Pick<ServerTime, 'now'>;
  model(conversationId: string): ConversationModel | undefined;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  emit<K extends 'receipt' | 'unread'>(name: K, event: ClientEvents[K]): void;
}

/**
 * Watermarks of all conversations. Keeps everybody's marks, raises `received` up to what is held
 * without a gap and `read` as the application says, and counts what is unread.
 */
export class Receipts {
  private readonly books = new Map<string, ReceiptBook>();
  private readonly counts = new Map<string, number>();
  private readonly sender: MarkSender;
  private offered = false;

  constructor(private readonly deps: ReceiptsDeps) {
    this.sender = new MarkSender({
      clock: deps.clock,
      send: (frame) => deps.send(frame),
      wanted: (id, known) => this.wanted(id, known),
      confirmed: (id) => this.books.get(id)?.confirmed ?? NO_MARKS,
    });
  }

  /** A connection begins, with the `features` of its `welcome`. */
  connected(features: readonly string[]): void {
    this.offered = features.includes('receipts');
  }

  disconnected(): void {
    this.sender.disconnected();
  }

  /** Takes one conversation of a sync's answer. */
  served({ conversationId, state, receipts = [], unread = 0, upTo }: SyncedConversation): void {
    if (state === 'gone') return;
    const marks = receipts.filter(isReceipt);
    const raised = this.book(conversationId).serve(marks, { unread, upTo });
    for (const userId of raised) this.tell(conversationId, userId);
    this.touched(conversationId);
    this.sender.served(conversationId);
  }

  /** A sync was answered. */
  synced(): void {
    if (this.offered) this.sender.synced(this.books.keys());
  }

  /** Takes a `receipt` frame. */
  take({ conversationId, userId, delivered, read, unread, upTo }: ReceiptFrame): void {
    const book = this.book(conversationId);
    const rose = book.merge(userId, { delivered, read });
    if (userId === this.deps.userId && unread !== undefined && upTo !== undefined) {
      book.count({ read, upTo, unread });
    }
    if (rose) this.tell(conversationId, userId);
    this.recount(conversationId);
  }

  /** What is held of a conversation has changed. */
  touched(conversationId: string): void {
    this.book(conversationId);
    this.recount(conversationId);
    this.sender.note(conversationId);
  }

  /** Held messages have expired. */
  expired(conversationId: string, messages: readonly Message[]): void {
    for (const message of messages) this.book(conversationId).uncount(message);
    this.recount(conversationId);
  }

  /** Handles an error that answers a mark; false: it is about something else. */
  error({ messageId, ref, conversationId, retryable }: ErrorFrame): boolean {
    if (messageId !== undefined || ref !== undefined || conversationId === undefined) return false;
    if (retryable) this.sender.refused(conversationId);
    return retryable;
  }

  /** Everything up to a position was read (default: everything held without a gap). */
  markRead(conversationId: string, position = this.deps.model(conversationId)?.have): void {
    if (position === undefined || !this.book(conversationId).readUpTo(position)) return;
    this.tell(conversationId, this.deps.userId);
    this.recount(conversationId);
    this.sender.note(conversationId);
  }

  /** Everybody's marks in a conversation, this user's last. */
  of(conversationId: string): Receipt[] {
    return this.books.get(conversationId)?.all() ?? [];
  }

  /** Takes marks that were read over HTTP. */
  learn(conversationId: string, receipts: readonly Receipt[]): void {
    const raised = this.book(conversationId).mergeSome(receipts);
    for (const userId of raised) this.tell(conversationId, userId);
  }

  /** Takes a conversation as the server shows it: up to 32 members it lists everybody's marks. */
  conversation({ id, members }: Conversation): void {
    if (!members) return;
    const all = members.map(({ userId, delivered, read }) => ({ userId, delivered, read }));
    for (const userId of this.book(id).mergeAll(all)) this.tell(id, userId);
  }

  /** How many others have got this far. `except`: somebody who does not count, e.g. the sender. */
  readBy(conversationId: string, position: string, except = this.deps.userId): ReadBy {
    const others = this.of(conversationId).filter(({ userId }) => userId !== except);
    const reached = (mark: string): boolean => comparePositions(mark, position) >= 0;
    return {
      delivered: others.filter((r) => reached(r.delivered)).length,
      read: others.filter((r) => reached(r.read)).length,
      of: others.length,
    };
  }

  /** Unread messages of others. */
  unread(conversationId: string): number {
    return this.counts.get(conversationId) ?? 0;
  }

  private book(conversationId: string): ReceiptBook {
    let book = this.books.get(conversationId);
    if (!book) this.books.set(conversationId, (book = new ReceiptBook(this.deps.userId)));
    return book;
  }

  /**
   * A user's own messages need no receipt: `delivered` rises where there are messages of others.
   */
  private wanted(conversationId: string, known: Marks): Marks {
    const model = this.deps.model(conversationId);
    if (!model || !model.known || model.gone) return NO_MARKS;
    const { own } = this.book(conversationId);
    const { have } = model;
    const news = model
      .above(known.delivered)
      .messages.some(
        (m) => m.senderId !== this.deps.userId && comparePositions(m.position, have) <= 0,
      );
    return { delivered: news ? have : '0', read: own.read };
  }

  private tell(conversationId: string, userId: string): void {
    const marks = this.of(conversationId).find((r) => r.userId === userId);
    const own = userId === this.deps.userId;
    if (marks) this.deps.emit('receipt', { conversationId, ...marks, own });
  }

  private recount(conversationId: string): void {
    const model = this.deps.model(conversationId);
    const book = this.books.get(conversationId);
    if (!model || !book) return;
    const unread = book.unread((position) => model.above(position), this.deps.serverTime.now());
    if (this.counts.get(conversationId) === unread) return;
    this.counts.set(conversationId, unread);
    this.deps.emit('unread', { conversationId, unread });
  }
}
