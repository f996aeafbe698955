import { TidingsError } from '@tidings/protocol/errors';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { ConversationRouting } from '@tidings/common/rpc/calls';
import { TTL } from '@tidings/common/redis/keys';
import type { MemberCache } from '@tidings/common/redis/members';
import { LRUCache } from 'lru-cache';
import type { StorageClient } from '../service-clients';
import { CallBatch } from '../call-batch';
import { within } from '@tidings/common/runtime/waiting';

/** How long a positive answer is used: the documented grace after a change, milliseconds. */
const GRACE_MS = 1_000;
/** From this age on, an answer in use is asked anew in the background, milliseconds. */
const REFRESH_MS = 500;
const MAX_CONVERSATIONS = 50_000;
/**
 * While a conversation is in use storage is asked this often, which renews Redis' copy: an outage of
 * PostgreSQL must find copies that last, whenever it begins. Milliseconds.
 */
const RENEW_MS = (TTL.members * 1000) / 2;
/** How old a copy is, nobody knows: the first renewal comes this soon; also between two tries. */
const RENEW_SOON_MS = 60_000;
/** A Redis that does not answer within this time is passed over, milliseconds. */
const COPY_MS = 300;
const STORAGE_TIMEOUT_MS = 2_000;

/** What a send to a conversation is subject to. */
export interface SendTerms {
  /** How long its messages live, seconds; null: for good. */
  readonly ttlSeconds: number | null;
}

interface Known extends SendTerms {
  members: ReadonlySet<string>;
  /** The members but those who are blocked: mostly the same set. */
  senders: ReadonlySet<string>;
  /** Monotonic milliseconds. */
  at: number;
  refreshing: boolean;
  /** When storage is to be asked again, although Redis has a copy; monotonic milliseconds. */
  renewAt: number;
  /** What was asked for before this does not count; monotonic milliseconds. */
  oldBefore: number;
}

/**
 * Who is in which conversation and may send to it, and on which terms: answers from memory for up to a second, then
 * Redis' copy, then storage, which alone may say that somebody is no member.
 */
export class Membership {
  private readonly known = new LRUCache<string, Known>({ max: MAX_CONVERSATIONS });
  private readonly copies: CallBatch<string, ConversationRouting | null>;
  private readonly originals: CallBatch<string, ConversationRouting | null>;

  constructor(
    private readonly cache: Pick<MemberCache, 'get' | 'put'>,
    private readonly storage: Pick<StorageClient, 'call'>,
    private readonly clock: () => number,
  ) {
    this.copies = new CallBatch((ids) => this.cache.get(ids), { items: 500, calls: 4 });
    this.originals = new CallBatch((ids) => this.askStorage(ids), { items: 500, calls: 4 });
  }

  /** Whether memory says that the user is a member; false says nothing. */
  isKnown(conversationId: string, userId: string): boolean {
    return this.fresh(conversationId)?.members.has(userId) ?? false;
  }

  /** Whether memory says that the user is a member and not blocked; false says nothing. */
  maySend(conversationId: string, userId: string): boolean {
    return this.terms(conversationId, userId) !== null;
  }

  /** The terms of a sender whom memory knows as a member and not blocked; null says nothing. */
  terms(conversationId: string, userId: string): SendTerms | null {
    const known = this.fresh(conversationId);
    return known?.senders.has(userId) ? known : null;
  }

  /**
   * Returns when the user is a member. Throws `no_such_conversation` when storage says it is not,
   * `unavailable` when nobody can tell.
   */
  async require(conversationId: string, userId: string): Promise<void> {
    // everybody is in there; what is theirs to see storage knows
    if (conversationId === EVERYONE_ID) return;
    await this.find(conversationId, userId);
  }

  /**
   * The same for a sender, with the terms of his sends: throws `blocked` as well, and `not_allowed` in the
   * conversation of everybody.
   */
  async requireSender(conversationId: string, userId: string): Promise<SendTerms> {
    if (conversationId === EVERYONE_ID) throw new TidingsError('not_allowed');
    const fresh = this.fresh(conversationId);
    const known = fresh?.members.has(userId) ? fresh : await this.find(conversationId, userId);
    if (!known.senders.has(userId)) throw new TidingsError('blocked');
    return known;
  }

  /** Takes over what Redis or storage said when it was asked at this time: the grace runs from then. */
  learn(routing: ConversationRouting, at = this.clock()): Known {
    const members = new Set<string>();
    for (const { userId, until } of routing.members) if (until === null) members.add(userId);
    const senders = routing.blocked ? without(members, routing.blocked) : members;
    const ttlSeconds = routing.messageTtlSeconds ?? null;
    const { renewAt = at + RENEW_SOON_MS, oldBefore = -Infinity } =
      this.known.get(routing.conversationId) ?? {};
    const askedAt = at < oldBefore ? -Infinity : at;
    const known = {
      members,
      senders,
      ttlSeconds,
      at: askedAt,
      refreshing: false,
      renewAt,
      oldBefore,
    };
    this.known.set(routing.conversationId, known);
    return known;
  }

  /** The conversation has changed: what memory says of it, and what is being asked for, is old. */
  changed(conversationId: string): void {
    const known = this.known.get(conversationId);
    if (!known) return;
    known.at = -Infinity;
    known.oldBefore = this.clock();
  }

  /** What memory says, while it is young enough; in use, it is asked anew in time. */
  private fresh(conversationId: string): Known | undefined {
    const known = this.known.get(conversationId);
    if (!known) return undefined;
    const age = this.clock() - known.at;
    if (age > GRACE_MS) return undefined;
    if (age > REFRESH_MS && !known.refreshing) {
      known.refreshing = true;
      this.renewInTime(conversationId, known);
      void this.refresh(conversationId, known);
    }
    return known;
  }

  private async find(conversationId: string, userId: string): Promise<Known> {
    const copyAt = this.clock();
    const copy = await within(this.copies.ask(conversationId), COPY_MS).catch(() => null);
    const copied = copy && this.learn(copy, copyAt);
    if (copied?.members.has(userId)) {
      this.renewInTime(conversationId, copied);
      return copied;
    }
    const originalAt = this.clock();
    const original = await this.originals.ask(conversationId);
    const known = original && this.learn(original, originalAt);
    if (known?.members.has(userId)) return known;
    throw new TidingsError('no_such_conversation');
  }

  private async refresh(conversationId: string, known: Known): Promise<void> {
    const at = this.clock();
    try {
      const copy = await this.copies.ask(conversationId);
      if (copy) this.learn(copy, at);
    } catch {
      // Redis is away: the answer ends with its grace, then storage is asked.
    } finally {
      known.refreshing = false;
    }
  }

  /** In the background; a failure leaves the copy as it is. */
  private renewInTime(conversationId: string, known: Known): void {
    if (this.clock() < known.renewAt) return;
    known.renewAt = this.clock() + RENEW_SOON_MS;
    this.originals.ask(conversationId).then(
      () => {
        const newest = this.known.get(conversationId);
        if (newest) newest.renewAt = this.clock() + RENEW_MS;
      },
      () => undefined,
    );
  }

  private async askStorage(ids: string[]): Promise<(ConversationRouting | null)[]> {
    const conversations = [...new Set(ids)].map((conversationId) => ({ conversationId }));
    const { items } = await this.storage.call(
      'conversations.routing',
      { conversations },
      { timeoutMs: STORAGE_TIMEOUT_MS },
    );
    const byId = new Map(items.map((item) => [item.conversationId, item]));
    for (const item of items) this.cache.put(item).catch(() => undefined);
    return ids.map((id) => byId.get(id) ?? null);
  }
}

function without(members: ReadonlySet<string>, blocked: readonly string[]): ReadonlySet<string> {
  const senders = new Set(members);
  for (const userId of blocked) senders.delete(userId);
  return senders;
}
