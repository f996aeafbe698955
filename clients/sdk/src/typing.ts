import { TYPING, type TypingFrame, type TypingPushFrame } from '@tidings/protocol/typing';
import type { Cancel, Clock } from './clock';

/** Users who are shown as writing at the same time, over all conversations; of more nothing is said. */
export const MAX_SHOWN = 200;

/** Somebody began to write, or stopped. */
export interface TypingNews {
  conversationId: string;
  userId: string;
  active: boolean;
}

export interface TypingDeps {
  userId: string;
  clock: Clock;
  /** Puts a frame on the wire; false: there is no connection. */
  send(frame: string): boolean;
  emit(name: 'typing', event: TypingNews): void;
}

/** Where this user writes. */
interface Own {
  /** By the client's clock: when the server was told last. */
  toldAt: number;
  idle: Cancel;
}

/**
 * Who is writing where. Own writing is told at most every three seconds, and that it ended when nothing
 * was typed for five; that of others ends by itself when nothing is heard of it for six.
 */
export class Typing {
  private offered = false;
  private readonly own = new Map<string, Own>();
  /** By conversation, then user: what ends it. */
  private readonly others = new Map<string, Map<string, Cancel>>();
  private shown = 0;

  constructor(private readonly deps: TypingDeps) {}

  /** Connected: `features` tells whether the server takes such frames. */
  connected(features: readonly string[]): void {
    this.offered = features.includes('typing');
  }

  /** The connection is lost: nobody is known to write. */
  disconnected(): void {
    this.offered = false;
    for (const { idle } of this.own.values()) idle();
    this.own.clear();
    for (const [conversationId, users] of this.others) {
      for (const userId of [...users.keys()]) this.ended(conversationId, userId);
    }
  }

  /** This user types (call it with every key), or stopped. */
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

  /** The server says that somebody writes, or stopped. */
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

  /** A message of somebody came: they do not write it any more. */
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

  /** Who is writing in a conversation, in the order in which they began. */
  in(conversationId: string): string[] {
    return [...(this.others.get(conversationId)?.keys() ?? [])];
  }

  private say(conversationId: string, active: boolean): void {
    const frame: TypingFrame = { type: 'typing', conversationId, active };
    this.deps.send(JSON.stringify(frame));
  }
}
