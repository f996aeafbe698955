import { TidingsError } from '@tidings/protocol/errors';
import { mayBeSameHash } from '@tidings/common/log-events/events';
import type { SendReply } from './send-reply';

/** A message in the spool. */
export interface HeldMessage {
  senderId: string;
  contentHash: string;
  partition: number;
  sequence: number;
  /** Bytes of its record. */
  bytes: number;
  /** Who is to be told when it is sent; null: nobody is here. */
  waiters: SendReply[] | null;
}

/** What of a message decides whether it is the held one. */
type Sent = Record<'conversationId' | 'messageId' | 'senderId' | 'contentHash', string>;

/** Sends of one id that are told; of more, the latest. */
const MAX_WAITERS = 4;

/** What one sender has in the spools. */
interface Share {
  bytes: number;
  messages: number;
  /** One was refused: what they send behind it is refused as well, until some have left. */
  full: boolean;
}

/**
 * The ids in the spools: a second send of one is answered `held` and makes no second entry. Counts
 * what each sender has there, so that one account cannot take the room of all.
 */
export class HeldMessages {
  private readonly byKey = new Map<string, HeldMessage>();
  private readonly shares = new Map<string, Share>();

  /** `maxBytes`: of the records of one sender. */
  constructor(private readonly maxBytes = Infinity) {}

  get size(): number {
    return this.byKey.size;
  }

  add(conversationId: string, messageId: string, held: HeldMessage): void {
    this.take(conversationId, messageId);
    this.byKey.set(messageId + conversationId, held);
    const share = this.shares.get(held.senderId) ?? { bytes: 0, messages: 0, full: false };
    share.bytes += held.bytes;
    share.messages += 1;
    this.shares.set(held.senderId, share);
    if (held.waiters) held.waiters = held.waiters.slice(-MAX_WAITERS);
  }

  /**
   * Whether a sender may have so many bytes more. After a no, no is the answer until something of
   * theirs has left: nothing overtakes what was refused.
   */
  hasRoom(senderId: string, bytes: number): boolean {
    const share = this.shares.get(senderId);
    if (!share) return bytes <= this.maxBytes;
    if (share.bytes + bytes > this.maxBytes) share.full = true;
    return !share.full;
  }

  /** Answers a send whose id is held; false when it is not. */
  join(message: Sent, reply: SendReply): boolean {
    const held = this.byKey.get(message.messageId + message.conversationId);
    if (!held) return false;
    const same = mayBeSameHash(held.contentHash, message.contentHash);
    if (held.senderId !== message.senderId || !same) {
      reply.refused(new TidingsError('message_id_conflict'));
      return true;
    }
    held.waiters ??= [];
    if (held.waiters.length >= MAX_WAITERS) held.waiters.shift();
    held.waiters.push(reply);
    reply.held();
    return true;
  }

  /** Takes an id out: its message has left the spool. */
  take(conversationId: string, messageId: string): HeldMessage | undefined {
    const key = messageId + conversationId;
    const held = this.byKey.get(key);
    this.remove(key, held);
    return held;
  }

  /** Forgets what a spool has lost, so that it is taken anew. */
  lost(partition: number, from: number, to: number): void {
    for (const [key, held] of this.byKey) {
      if (held.partition !== partition || held.sequence < from || held.sequence >= to) continue;
      this.remove(key, held);
      for (const waiter of held.waiters ?? []) waiter.unknown();
    }
  }

  private remove(key: string, held: HeldMessage | undefined): void {
    if (!held) return;
    this.byKey.delete(key);
    const share = this.shares.get(held.senderId)!;
    share.bytes -= held.bytes;
    share.messages -= 1;
    share.full = false;
    if (share.messages === 0) this.shares.delete(held.senderId);
  }
}
