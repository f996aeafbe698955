import type { Message } from '@tidings/protocol/content';
import type { Cancel, Clock } from './clock';
import { DueTimes } from './due-times';
import type { OutboxRecord } from './outbox-store';

export interface ExpiryDeps {
  clock: Clock;
  /** Unix milliseconds on the server, as well as known. */
  serverNow(): number;
  /** Drops a held message and returns it. */
  drop(conversationId: string, messageId: string): Message | undefined;
  /** Gives up an unsent message. */
  giveUp(messageId: string): void;
  /** These messages were held and are gone. */
  gone(conversationId: string, messages: Message[]): void;
}

/** Something that expires: a held message, or one that is not sent yet. */
interface Mortal {
  messageId: string;
  /** Null: not sent yet. */
  conversationId: string | null;
}

/**
 * The longest delay that timers take (a signed 32-bit number of milliseconds, HTML Standard §8.6).
 */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Drops messages when they expire, by the server's clock; one timer for all. A clock that stood
 * still (a sleeping machine) is corrected by the next `welcome`, which {@link check} follows.
 */
export class Expiry {
  private readonly due = new DueTimes<Mortal>();
  private timer: { at: number; cancel: Cancel } | null = null;
  private stopped = false;

  constructor(private readonly deps: ExpiryDeps) {}

  /** Notes a held message. True: it had expired already, and was dropped. */
  held({ conversationId, messageId, expiresAt }: Message): boolean {
    const at = expiresAt === undefined ? NaN : Date.parse(expiresAt);
    if (Number.isNaN(at)) {
      this.due.delete(`held ${messageId}`);
      return false;
    }
    if (at <= this.deps.serverNow()) {
      this.deps.drop(conversationId, messageId);
      return true;
    }
    this.due.set(`held ${messageId}`, at, { messageId, conversationId });
    this.schedule();
    return false;
  }

  /** Notes a message that is not sent yet, or its new lifetime. */
  unsent({ messageId, expiresAt }: OutboxRecord): void {
    const key = `unsent ${messageId}`;
    if (expiresAt === undefined) return this.due.delete(key);
    this.due.set(key, expiresAt, { messageId, conversationId: null });
    this.schedule();
  }

  /** A message is no longer unsent. */
  settled(messageId: string): void {
    this.due.delete(`unsent ${messageId}`);
  }

  /** Drops everything that has expired by now. */
  check(): void {
    if (this.stopped) return;
    this.timer?.cancel();
    this.timer = null;
    const gone = new Map<string, Message[]>();
    for (const { messageId, conversationId } of this.due.take(this.deps.serverNow())) {
      if (conversationId === null) {
        this.deps.giveUp(messageId);
        continue;
      }
      const message = this.deps.drop(conversationId, messageId);
      if (message) gone.set(conversationId, [...(gone.get(conversationId) ?? []), message]);
    }
    this.schedule();
    for (const [conversationId, messages] of gone) this.deps.gone(conversationId, messages);
  }

  /** Stops the timer for good. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = null;
  }

  private schedule(): void {
    const at = this.due.next();
    if (this.stopped || at === null || (this.timer && this.timer.at <= at)) return;
    this.timer?.cancel();
    const ms = Math.min(Math.max(at - this.deps.serverNow(), 0), LONGEST_TIMER_MS);
    this.timer = { at, cancel: this.deps.clock.after(ms, () => this.check()) };
  }
}
