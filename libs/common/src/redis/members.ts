import { parsedJson } from '@tidings/protocol/json';
import { conversationRouting, type ConversationRouting } from '../rpc/calls';
import { together, type RedisClient } from './client';
import { KEYS, TTL } from './keys';
import { putMembers } from './scripts/put-members.script';

/**
 * Redis' copy of the conversations' routing data (members, kind, lifetime), for admission at
 * gateways.
 */
export class MemberCache {
  constructor(private readonly client: RedisClient) {}

  /**
   * The routing data of conversations, aligned, in one round trip; null: ask storage. Throws
   * `RedisUnavailable`.
   */
  async get(conversationIds: readonly string[]): Promise<(ConversationRouting | null)[]> {
    if (conversationIds.length === 0) return [];
    const copies = await together(
      conversationIds.map((conversationId) => this.client.get(KEYS.members(conversationId))),
    );
    return copies.map(decode);
  }

  /**
   * Stores a conversation's routing data. False when a higher version is stored, or the same
   * version with a higher version of its blocks. Equal ones are overwritten (positions of its
   * members may have been filled in). Throws `RedisUnavailable`.
   */
  async put(routing: ConversationRouting): Promise<boolean> {
    const { version, blocksVersion = 0 } = routing;
    const head = blocksVersion > 0 ? `${version}.${blocksVersion}` : `${version}`;
    return putMembers(this.client, KEYS.members(routing.conversationId), {
      version,
      blocksVersion,
      value: `${head} ${JSON.stringify(routing)}`,
      ttlMs: TTL.members * 1000,
    });
  }
}

/** A copy with another shape (written by another release) counts as missing. */
function decode(value: string | null): ConversationRouting | null {
  if (value === null) return null;
  const parsed = conversationRouting.safeParse(parsedJson(value.slice(value.indexOf(' ') + 1)));
  return parsed.success ? parsed.data : null;
}
