import { ReplyError } from 'ioredis';
import { settled, together, type RedisClient } from './client';
import { id, KEYS, TTL } from './keys';
import { forgetEntry } from './scripts/forget-entry.script';
import { releaseLease } from './scripts/release-lease.script';

/** A node in one consumer group: the process, and the member id that Kafka gave it. */
export interface PeerMember {
  bootId: string;
  memberId: string;
}

/** A node that says it is alive: its process, and the id of its connection to Redis. */
export interface PeerLease {
  bootId: string;
  clientId: string;
}

const LEASE = /^(\S+) (\d+)$/;
const MEMBER = /^(\S+) (\S+)$/;
const CLIENT_ID = /^id=(\d+) /gm;

/**
 * Which nodes are in which consumer group, and which of them are alive. So whoever first notices a
 * dead node, its successor or another node, can make its members leave. All methods throw
 * `RedisUnavailable`.
 */
export class PeerDirectory {
  constructor(private readonly client: RedisClient) {}

  /** Notes a node's member of a group; repeat it well within the key's time to live. */
  async join(groupId: string, nodeId: string, { bootId, memberId }: PeerMember): Promise<void> {
    const key = KEYS.groupMembers(groupId);
    await together<unknown>([
      this.client.hset(key, id(nodeId), `${id(bootId)} ${id(memberId)}`),
      this.client.expire(key, TTL.groupMembers),
    ]);
  }

  /** Removes a member, unless the node has joined again. */
  async forget(groupId: string, nodeId: string, member: PeerMember): Promise<void> {
    const value = `${member.bootId} ${member.memberId}`;
    await forgetEntry(this.client, KEYS.groupMembers(groupId), nodeId, value);
  }

  /** The members of each group by node, aligned. */
  async members(groupIds: readonly string[]): Promise<Map<string, PeerMember>[]> {
    const hashes = await together(
      groupIds.map((groupId) => this.client.hgetall(KEYS.groupMembers(groupId))),
    );
    return hashes.map((hash) => {
      const members = new Map<string, PeerMember>();
      for (const [nodeId, value] of Object.entries(hash)) {
        const [, bootId, memberId] = MEMBER.exec(value) ?? [];
        if (bootId && memberId) members.set(nodeId, { bootId, memberId });
      }
      return members;
    });
  }

  /** Says that a node is alive, for this long. */
  async renew(nodeId: string, { bootId, clientId }: PeerLease, ttlMs: number): Promise<void> {
    await settled(
      this.client.set(KEYS.nodeLease(nodeId), `${id(bootId)} ${clientId}`, 'PX', ttlMs),
    );
  }

  /** Takes back what {@link renew} said, unless the node has a new process. */
  async release(nodeId: string, { bootId, clientId }: PeerLease): Promise<void> {
    await releaseLease(this.client, KEYS.nodeLease(nodeId), `${bootId} ${clientId}`);
  }

  /** The leases of these nodes, aligned; null: expired. */
  async leases(nodeIds: readonly string[]): Promise<(PeerLease | null)[]> {
    const values = await together(nodeIds.map((nodeId) => this.client.get(KEYS.nodeLease(nodeId))));
    return values.map((value) => {
      const [, bootId, clientId] = LEASE.exec(value ?? '') ?? [];
      return bootId && clientId ? { bootId, clientId } : null;
    });
  }

  /** The id of this connection, by which {@link connected} knows it. */
  async clientId(): Promise<string> {
    return String(await settled(this.client.client('ID')));
  }

  /**
   * Which of these connections Redis still has; it loses that of a killed process at once. Null
   * when this server does not say (before 6.2, or by its access rules).
   */
  async connected(clientIds: readonly string[]): Promise<Set<string> | null> {
    if (clientIds.length === 0) return new Set();
    try {
      const list = await settled(this.client.client('LIST', 'ID', ...clientIds));
      return new Set([...String(list).matchAll(CLIENT_ID)].map(([, clientId]) => clientId!));
    } catch (error) {
      if (error instanceof ReplyError) return null;
      throw error;
    }
  }

  /** Takes the right to make a process leave: only one node gets it, and only once in this time. */
  async claimEviction(nodeId: string, bootId: string, ttlMs: number): Promise<boolean> {
    const key = KEYS.nodeEviction(nodeId, bootId);
    return (await settled(this.client.set(key, '1', 'PX', ttlMs, 'NX'))) === 'OK';
  }

  /** Gives that right back, as it could not be used. */
  async returnEviction(nodeId: string, bootId: string): Promise<void> {
    await settled(this.client.del(KEYS.nodeEviction(nodeId, bootId)));
  }
}
