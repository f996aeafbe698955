import { TYPING, type TypingFrame, type TypingPushFrame } from '@tidings/protocol/typing';
import type { Cancel, Clock } from './clock';

/**
 * The most users that are shown as typing at the same time, over all conversations. Any more are
 * ignored.
 */
export const MAX_SHOWN = 200;

/** Somebody started typing, or stopped. */
export interface TypingNews {
  conversationId: string;
  userId: string;
  active: boolean;
}

export interface TypingDeps {
  userId: string;
  clock: Clock;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  emit(name: 'typing', event: TypingNews): void;
}

/** Where this user is typing. */
interface Own {
  /** When the server was told last, by the client's clock. */
  toldAt: number;
  idle: Cancel;
}

/**
 * Who is typing where. This user's typing is reported at most every three seconds, and its end when
 * nothing was typed for five. That of others ends on its own when nothing is heard for six.
 */
export class Typing {
  private offered = false;
  private readonly own = new Map<string, Own>();
  /** By conversation, then by user: cancels the timer that ends it. */
  private readonly others = new Map<string, Map<string, Cancel>>();
  private shown = 0;

  constructor(private readonly deps: TypingDeps) {}

  /** Connected. `features` says whether the server takes such frames. */
  connected(features: readonly string[]): void {
    this.offered = features.includes('typing');
  }

  /** The connection is lost: nobody is known to be typing. */
  disconnected(): void {
    this.offered = false;
    for (const { idle } of this.own.values()) idle();
    this.own.clear();
    for (const [conversationId, users] of this.others) {
      for (const userId of [...users.keys()]) this.ended(conversationId, userId);
    }
  }

  /** This user is typing (call it with every key), or stopped. */
  typing(conversationId: string, active: boolean): void {
    if (!this.offered) return;
    const { clock } = this.deps;
    const known = this.own.get(conversationId);
    known?.idle();
    if (!active) {
      if (this.own.delete(conversationId)) this.say(conversationId, false);
      return;
    }
    const now = clock.now();
    const due = !known || now - known.toldAt >= TYPING.repeatMs;
    const idle = clock.after(TYPING.idleMs, () => this.typing(conversationId, false));
    this.own.set(conversationId, { toldAt: due ? now : known.toldAt, idle });
    if (due) this.say(conversationId, true);
  }

  /** The server says that somebody is typing, or stopped. */
  take({ conversationId, userId, active }: TypingPushFrame): void {
    if (userId === this.deps.userId) return;
    if (!active) return this.ended(conversationId, userId);
    const users = this.others.get(conversationId) ?? new Map<string, Cancel>();
    const known = users.get(userId);
    if (!known && this.shown >= MAX_SHOWN) return;
    known?.();
    const end = (): void => this.ended(conversationId, userId);
    users.set(userId, this.deps.clock.after(TYPING.shownMs, end));
    this.others.set(conversationId, users);
    if (known) return;
    this.shown += 1;
    this.deps.emit('typing', { conversationId, userId, active: true });
  }

  /** A message of theirs arrived: they are not typing it any more. */
  ended(conversationId: string, userId: string): void {
    const users = this.others.get(conversationId);
    const cancel = users?.get(userId);
    if (!users || !cancel) return;
    cancel();
    users.delete(userId);
    if (users.size === 0) this.others.delete(conversationId);
    this.shown -= 1;
    this.deps.emit('typing', { conversationId, userId, active: false });
  }

  /** Who is typing in a conversation, in the order they began. */
  in(conversationId: string): string[] {
    return [...(this.others.get(conversationId)?.keys() ?? [])];
  }

  private say(conversationId: string, active: boolean): void {
    const frame: TypingFrame = { type: 'typing', conversationId, active };
    this.deps.send(JSON.stringify(frame));
  }
}
