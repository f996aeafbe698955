import { TidingsError } from '@tidings/common/contracts/errors';
import type { SendReply } from '../send/send-reply';

/** A message in the spool. */
export interface HeldMessage {
  senderId: string;
  contentHash: string;
  partition: number;
  sequence: number;
  /** Who is to be told when it is sent; null: nobody is here. */
  waiters: SendReply[] | null;
}

/** What of a message decides whether it is the held one. */
type Sent = Record<'conversationId' | 'messageId' | 'senderId' | 'contentHash', string>;

/** Sends of one id that are told; of more, the latest. */
const MOST_WAITERS = 4;

/** The ids in the spools: a second send of one is answered `held` and makes no second entry. */
export class HeldMessages {
  private readonly byKey = new Map<string, HeldMessage>();

  get size(): number {
    return this.byKey.size;
  }

  add(conversationId: string, messageId: string, held: HeldMessage): void {
    this.byKey.set(messageId + conversationId, held);
    if (held.waiters) held.waiters = held.waiters.slice(-MOST_WAITERS);
  }

  /** Answers a send whose id is held; false when it is not. */
  join(message: Sent, reply: SendReply): boolean {
    const held = this.byKey.get(message.messageId + message.conversationId);
    if (!held) return false;
    if (held.senderId !== message.senderId || held.contentHash !== message.contentHash) {
      reply.refused(new TidingsError('message_id_conflict'));
      return true;
    }
    held.waiters ??= [];
    if (held.waiters.length >= MOST_WAITERS) held.waiters.shift();
    held.waiters.push(reply);
    reply.held();
    return true;
  }

  /** Takes an id out: its message has left the spool. */
  take(conversationId: string, messageId: string): HeldMessage | undefined {
    const key = messageId + conversationId;
    const held = this.byKey.get(key);
    this.byKey.delete(key);
    return held;
  }

  /** Forgets what a spool has lost, so that it is taken anew. */
  lost(partition: number, from: number, to: number): void {
    for (const [key, held] of this.byKey) {
      if (held.partition !== partition || held.sequence < from || held.sequence >= to) continue;
      this.byKey.delete(key);
      for (const waiter of held.waiters ?? []) waiter.unknown();
    }
  }
}
