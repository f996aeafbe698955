import { z } from 'zod';

/**
 * Every Redis key of the product: name, value, time to live (seconds). Everything in Redis can be
 * rebuilt. Keys that one script touches share a `{tag}`, so that they are in one slot of a Redis
 * Cluster: `{u:<userId>}` per user, `{g:<gatewayId>}` per gateway, `{l:<account>}` per login name.
 * One script reads keys in many slots, to be cheap: the look-up of routes. On a cluster it is given
 * one key per call (`keysPerLookup: 1`).
 */
export const TTL = {
  /** A route without renewal; gateways renew every 30 s. */
  routes: 90,
  /** A user's watchers without renewal; gateways renew every 20 s. */
  watchers: 90,
  /** Presence of somebody who is away; after that only the database knows it. */
  presence: 24 * 3600,
  /** A resume ticket after the end of its route, as PROTOCOL.md promises. */
  resumeAfterRoute: 120,
  ticket: 30,
  /** Only needed for a clock that was set back. */
  generation: 24 * 3600,
  logins: 24 * 3600,
  members: 3600,
  /** An inbox whose gateway has not trimmed it. */
  inbox: 60,
  /** Longer than any pause after which a gateway might still believe in its boot id. */
  deadBoot: 3600,
  /** After a boot's last sign of life; its routes expire long before. */
  boots: 3600,
  directory: 60,
  groupMembers: 600,
  /** After the last mark of a partition. */
  routed: 3600,
  /** After the last segment of a partition: longer than session's window. */
  window: 300,
  /** Longer than anybody waits for a call that carries a guess. */
  guessTaken: 30,
  /** After the last login from one of them. */
  knownNetworks: 30 * 24 * 3600,
} as const;

export const KEYS = {
  /** Hash: device id → `gatewayId|bootId|connectionId|generation`. TTL `routes`. */
  routes: (userId: string) => `{u:${id(userId)}}:routes`,
  /**
   * Hash: `state` of the user as the presence service keeps it, `version` of what others were last
   * sent, `stamp` of this very state; the last two are µs of Redis' clock. TTL `presence` once all
   * devices have left.
   */
  presence: (userId: string) => `{u:${id(userId)}}:presence`,
  /** Set: `gatewayId|bootId` of gateways with a socket that watches the user. TTL `watchers`. */
  watchers: (userId: string) => `{u:${id(userId)}}:watchers`,
  /** Hash: SHA-256 of the device's one resume ticket, and its grant. TTL `routes` + `resumeAfterRoute`. */
  resume: (userId: string, deviceId: string) => `{u:${id(userId)}}:resume:${id(deviceId)}`,
  /** Number: the last connection generation given to a device, µs. TTL `generation`. */
  generation: (userId: string, deviceId: string) => `{u:${id(userId)}}:generation:${id(deviceId)}`,
  /**
   * Hash: device id → generation of its login; `<device id>:end` → that generation, and how the one
   * before ended. TTL `logins`.
   */
  logins: (userId: string) => `{u:${id(userId)}}:sessions`,
  /**
   * String: when the token bucket of a rate will be full again, ms of Redis' clock. TTL: until
   * then.
   */
  rate: (userId: string, name: string, deviceId: string | null) =>
    `{u:${id(userId)}}:rate:${id(name)}` + (deviceId === null ? '' : `:${id(deviceId)}`),
  /**
   * Number: calls of one kind from a network (its hash) in this minute. TTL: until the minute ends.
   */
  addressHits: (network: string, name: string) => `{a:${id(network)}}:hits:${id(name)}`,
  /** String: the grant of a directory ticket, under the ticket's SHA-256. TTL `ticket`. */
  ticket: (hash: string) => `{t:${id(hash)}}:ticket`,
  /** String: `<version>[.<blocks version>] <ConversationRouting as JSON>`. TTL `members`. */
  members: (conversationId: string) => `{c:${id(conversationId)}}:members`,
  /** String: the boot id that holds the gateway id. TTL by the gateway. */
  lease: (gatewayId: string) => `{g:${id(gatewayId)}}:lease`,
  /** String: mark of a boot id that can never renew again. TTL `deadBoot`. */
  deadBoot: (gatewayId: string, bootId: string) => `{g:${id(gatewayId)}}:dead:${id(bootId)}`,
  /** Number: when a boot last took or renewed its lease, ms of Redis' clock. TTL `deadBoot`. */
  bootAlive: (gatewayId: string, bootId: string) => `{g:${id(gatewayId)}}:alive:${id(bootId)}`,
  /** Set: `userId|deviceId|connectionId|generation` of routes that name a boot; it may name too many. TTL `boots`. */
  bootRoutes: (gatewayId: string, bootId: string) => `{g:${id(gatewayId)}}:routes:${id(bootId)}`,
  /**
   * Set: `gatewayId|bootId` of boots whose routes must be ended when their lease is gone. TTL
   * `boots`.
   */
  boots: () => `{directory}:boots`,
  /** Stream: entry `<n>-0`, one field: bytes up to and including it → payload. TTL `inbox`. */
  inbox: (gatewayId: string, bootId: string) => `{g:${id(gatewayId)}}:inbox:${id(bootId)}`,
  /** Hash: `n` last number, `in` bytes appended, `out` bytes handed on. TTL `inbox`. */
  inboxCounters: (gatewayId: string, bootId: string) =>
    `{g:${id(gatewayId)}}:inbox:${id(bootId)}:counters`,
  /** Hash: gateway id → `<mac> <entry as JSON>`. TTL `directory`. */
  directory: () => `{directory}:gateways`,
  /** Hash: the same for session, presence and storage. TTL `directory`. */
  nodes: () => `{directory}:nodes`,
  /** Hash: node id → `<boot id> <Kafka member id>` in a consumer group. TTL `groupMembers`. */
  groupMembers: (groupId: string) => `{k:${id(groupId)}}:members`,
  /** String: `<boot id> <id of its Redis connection>` of a node that lives. TTL by the node. */
  nodeLease: (nodeId: string) => `{n:${id(nodeId)}}:lease`,
  /** String: mark of a process whose members another node made leave. TTL by that node. */
  nodeEviction: (nodeId: string, bootId: string) => `{n:${id(nodeId)}}:evicted:${id(bootId)}`,
  /** Stream: entry `<next>-<Unix ms>`, `f` → from: records from `from` below `next` (positions) were routed by then. TTL `routed`. */
  routed: (partition: number) => `{p:${id(String(partition))}}:routed`,
  /**
   * Hash: `term` of the process that keeps the presence of a partition, `since` when it is
   * complete, ms.
   */
  presenceKeeper: (partition: number) => `${partitionTag(partition)}:presence:keeper`,
  /** Sorted set: users by when they must be judged, ms. */
  presenceDue: (partition: number) => `${partitionTag(partition)}:presence:due`,
  /** Sorted set: `gatewayId|bootId|userId` of connected devices, all at 0. */
  presenceBoots: (partition: number) => `${partitionTag(partition)}:presence:boots`,
  /** Sorted set: users whose clocks are not in the database yet, by their last sign of life, ms. */
  presenceClocks: (partition: number) => `${partitionTag(partition)}:presence:clocks`,
  /** Sorted set: users whose last change is not in the log yet, all at 0. */
  presenceUntold: (partition: number) => `${partitionTag(partition)}:presence:untold`,
  /** List: segments of session's window (`apps/session/src/domain/window-segment.ts`). TTL `window`. */
  window: (epoch: number, partition: number) =>
    `{p:${id(String(partition))}}:window:${id(String(epoch))}`,
  /**
   * Number: when the next guess of an account's password would be due at an even rate, Unix ms;
   * expires then. Lane: `d.<device id>`, `n.<network>` or `strangers`. The account is a hash of its
   * name.
   */
  guesses: (account: string, lane: string) => `{l:${id(account)}}:guesses:${id(lane)}`,
  /** String: a guess that was counted; `1`: also for the strangers. TTL `guessTaken`. */
  guessTaken: (account: string, guessId: string) => `{l:${id(account)}}:taken:${id(guessId)}`,
  /**
   * Sorted set: networks (hashes) of an account's latest logins, by Unix ms. TTL `knownNetworks`.
   */
  knownNetworks: (account: string) => `{l:${id(account)}}:networks`,
} as const;

/** Patterns of what stands in keys and values, to be joined. */
export const PATTERNS = { id: '[A-Za-z0-9._-]{1,128}', generation: '0|[1-9][0-9]{0,15}' };
const ID = new RegExp(`^(?:${PATTERNS.id})$`);

/** An id that would break out of its place in a key or value. Always a defect of the caller. */
export class InvalidRedisId extends Error {
  override readonly name = 'InvalidRedisId';

  constructor(value: string) {
    super(`not usable in a Redis key: ${JSON.stringify(value.slice(0, 80))}`);
  }
}

/** Returns ids of letters, digits and `. _ -`; throws `InvalidRedisId` on any other. */
export function id(value: string): string {
  if (!ID.test(value)) throw new InvalidRedisId(value);
  return value;
}

function partitionTag(partition: number): string {
  return `{p:${id(String(partition))}}`;
}

const GENERATION = new RegExp(`^(?:${PATTERNS.generation})$`);

/** A connection generation as it is stored in Redis: decimal µs, at most 16 digits. */
export const connectionGeneration = z.string().regex(GENERATION);

/** Returns what {@link connectionGeneration} accepts; otherwise throws `InvalidRedisId`. */
export function generation(value: string): string {
  if (!GENERATION.test(value)) throw new InvalidRedisId(value);
  return value;
}
