import { settled, together, type RedisClient } from './client';
import { KEYS, TTL } from './keys';

/**
 * The Kafka member ids of one node, per consumer group: a restarted process sends LeaveGroup for
 * its predecessor, instead of leaving its partitions unread for a session timeout. Forgotten ten
 * minutes after the last `save`, so that is to be repeated while the member lives.
 */
export class MemberStore {
  constructor(
    private readonly client: RedisClient,
    private readonly nodeId: string,
  ) {}

  /** The member ids that this node had in a group. Throws `RedisUnavailable`. */
  async load(groupId: string): Promise<string[]> {
    return settled(this.client.smembers(KEYS.groupMembers(this.nodeId, groupId)));
  }

  /** Adds a member id, or keeps it for longer. Throws `RedisUnavailable`. */
  async save(groupId: string, memberId: string): Promise<void> {
    const key = KEYS.groupMembers(this.nodeId, groupId);
    await together([this.client.sadd(key, memberId), this.client.expire(key, TTL.groupMembers)]);
  }

  /** Forgets the member ids of a group: they have left. Throws `RedisUnavailable`. */
  async clear(groupId: string): Promise<void> {
    await settled(this.client.del(KEYS.groupMembers(this.nodeId, groupId)));
  }
}
