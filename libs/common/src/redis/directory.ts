import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { parsedJson } from '@tidings/protocol/json';
import { settled, together, type RedisClient } from './client';
import { id, KEYS, PATTERNS, TTL } from './keys';
import { forgetEntry } from './scripts/forget-entry.script';

/**
 * `joining`: it is starting, or something it needs is down. `ready`: useful. `draining`: it is
 * stopping, and stays listed until it is gone.
 */
const nodeState = z.enum(['joining', 'ready', 'draining']);
export type NodeState = z.infer<typeof nodeState>;

/** What every process announces, whatever its service. */
const common = {
  /** Its `NODE_ID`. */
  id: z.string().regex(new RegExp(`^(?:${PATTERNS.id})$`)),
  /** Of this run of the process; that of a gateway may change while it runs. */
  bootId: z.string().max(64),
  /** The URL at which it is called: a gateway by clients, the others by services. */
  url: z.url().max(500),
  version: z.string().max(64),
  state: nodeState,
  /** When it was announced, in Unix milliseconds of Redis' clock. */
  at: z.number(),
};

/** The lag of a node's consumer group, in the partitions that the node reads. */
const groupLag = z.object({
  records: z.number().int().nonnegative(),
  /** Age of the oldest unapplied record; null: unknown yet. */
  seconds: z.number().nonnegative().nullable(),
});
export type GroupLag = z.infer<typeof groupLag>;

const gatewayEntry = z.object({
  ...common,
  service: z.literal('gateway'),
  connections: z.number(),
  /** The most connections; at this number or above the gateway takes no new ones. */
  capacity: z.number(),
  /** Event loop delay: the 99th percentile of the last second. */
  loopDelayMs: z.number().nonnegative(),
  /** Connects per second that it admits at the moment; 0: no limit. */
  connectsPerSecond: z.number().nonnegative(),
  /** What it sheds, and whether it refuses messages, too; left out by gateways before it. */
  shedding: z.object({ lanes: z.array(z.string().max(32)).max(16), text: z.boolean() }).optional(),
});
/** A gateway, as it announces itself. */
export type GatewayEntry = z.infer<typeof gatewayEntry>;

const nodeEntry = z.object({
  ...common,
  service: z.enum(['session', 'presence', 'storage']),
  /** By consumer group. Groups whose log does not answer are left out. */
  lag: z.record(z.string(), groupLag),
});
/** An instance of session, presence or storage, as it announces itself. */
export type NodeEntry = z.infer<typeof nodeEntry>;

/** One list of announcements: its key, and what its entries contain. */
export interface DirectoryList<E extends GatewayEntry | NodeEntry> {
  key: string;
  entry: z.ZodType<E>;
}
export const GATEWAYS: DirectoryList<GatewayEntry> = { key: KEYS.directory(), entry: gatewayEntry };
export const NODES: DirectoryList<NodeEntry> = { key: KEYS.nodes(), entry: nodeEntry };

/** HMAC over these parts as text, with the cluster secret. */
export type DirectoryMac = (parts: readonly string[]) => string;

/**
 * Why an entry does not count. `forged`: it does not prove the cluster secret, or belongs to
 * another list or has another shape. `stale`: its node has fallen silent. `replayed`: its node has
 * announced something newer.
 */
export type Refusal = 'forged' | 'stale' | 'replayed';

export interface DirectoryOptions {
  mac: DirectoryMac;
  /** Called for an entry that does not count, once until its node is well again. */
  refused?(this: void, nodeId: string, reason: Refusal): void;
  /** This machine's clock, Unix milliseconds. */
  wallClock?: () => number;
}

/** What an announcement reveals about the clocks. */
export interface Announced {
  /** Redis' clock, Unix milliseconds. */
  at: number;
  /** How far this machine's clock is ahead of it, at least, in milliseconds. */
  skewMs: number;
}

/** Older announcements are not live, in milliseconds. Nodes announce every second. */
const MAX_AGE_MS = 5_000;

/** A dead node's entry is removed after this time, in milliseconds. */
const FORGET_MS = TTL.directory * 1000;

/** How much of a field's name is reported, in characters. */
const TOLD_NAME = 100;

/**
 * A list of nodes, each of which announces itself every second. An entry proves the cluster secret:
 * an HMAC over the list's key and the whole entry (id, boot id, URL, time, load). Ages are measured
 * by Redis' clock alone, so that no machine's own clock has to be right. Entries that are forged,
 * stale or older than an earlier announcement of their node are left out.
 */
export class Directory<E extends GatewayEntry | NodeEntry> {
  private readonly wallClock: () => number;
  /** The latest time that each node has announced. */
  private readonly latest = new Map<string, number>();
  /** Entries that were reported, by field and reason. */
  private told = new Set<string>();

  constructor(
    private readonly client: RedisClient,
    private readonly which: DirectoryList<E>,
    private readonly options: DirectoryOptions,
  ) {
    this.wallClock = options.wallClock ?? Date.now;
  }

  /** Writes this node's entry; once a second. Throws `RedisUnavailable`. */
  async announce(entry: Omit<E, 'at'>): Promise<Announced> {
    const before = this.wallClock();
    const at = unixMs((await settled(this.client.time())) as unknown as RedisTime);
    const after = this.wallClock();
    const { key } = this.which;
    const value = signedEntry(this.options.mac, key, JSON.stringify({ ...entry, at }));
    await together<unknown>([
      this.client.hset(key, id(entry.id), value),
      this.client.expire(key, TTL.directory),
    ]);
    // Redis read its clock at some moment in between
    const skewMs = after < at ? after - at : before > at ? before - at : 0;
    return { at, skewMs };
  }

  /** Removes a node at once. Throws `RedisUnavailable`. */
  async remove(nodeId: string): Promise<void> {
    await settled(this.client.hdel(this.which.key, id(nodeId)));
  }

  /** The nodes that are alive, including draining ones. Throws `RedisUnavailable`. */
  async list(): Promise<E[]> {
    const { key } = this.which;
    const [fields, time] = (await together<unknown>([
      this.client.hgetall(key),
      this.client.time(),
    ])) as [Record<string, string>, RedisTime];
    const now = unixMs(time);
    const live: E[] = [];
    const refused = new Map<string, { name: string; reason: Refusal }>();
    const forgotten: Promise<unknown>[] = [];
    for (const [name, value] of Object.entries(fields)) {
      const entry = this.verified(name, value);
      const reason = entry ? this.judge(entry, now) : 'forged';
      if (reason !== null) refused.set(`${reason} ${name}`, { name, reason });
      else live.push(entry!);
      if (entry && now - entry.at > FORGET_MS) {
        forgotten.push(forgetEntry(this.client, key, name, value));
      }
    }
    this.tell(refused);
    this.forget(now);
    await Promise.all(forgotten);
    return live;
  }

  private verified(name: string, value: string): E | null {
    const space = value.indexOf(' ');
    const json = value.slice(space + 1);
    const given = Buffer.from(value.slice(0, Math.max(space, 0)));
    const expected = Buffer.from(this.options.mac([this.which.key, json]));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    const { data: entry } = this.which.entry.safeParse(parsedJson(json));
    return entry?.id === name ? entry : null;
  }

  private judge({ id: nodeId, at }: E, now: number): Refusal | null {
    if (Math.abs(now - at) > MAX_AGE_MS) return 'stale';
    const latest = this.latest.get(nodeId) ?? -Infinity;
    // one in the future comes from a clock that was set back since
    if (at < latest && latest <= now) return 'replayed';
    this.latest.set(nodeId, at);
    return null;
  }

  private tell(refused: ReadonlyMap<string, { name: string; reason: Refusal }>): void {
    for (const [what, { name, reason }] of refused) {
      if (!this.told.has(what)) this.options.refused?.(name.slice(0, TOLD_NAME), reason);
    }
    this.told = new Set(refused.keys());
  }

  /** Anything older than this is stale in any case. */
  private forget(now: number): void {
    for (const [nodeId, at] of this.latest) {
      if (now - at > MAX_AGE_MS) this.latest.delete(nodeId);
    }
  }
}

/** An entry of the list with this key, as it lies in Redis. */
export function signedEntry(mac: DirectoryMac, key: string, json: string): string {
  return `${mac([key, json])} ${json}`;
}

/** Seconds and microseconds, as `TIME` answers. */
type RedisTime = readonly [number | string, number | string];

function unixMs([seconds, micros]: RedisTime): number {
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
