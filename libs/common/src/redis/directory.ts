import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { parsedJson } from '@tidings/protocol/json';
import { settled, together, type RedisClient } from './client';
import { id, KEYS, TTL } from './keys';
import { forgetEntry } from './scripts/forget-entry.script';

/** A gateway as it announces itself. */
const gatewayEntry = z.object({
  gatewayId: z.string(),
  bootId: z.string(),
  /** Where clients open their WebSocket. */
  url: z.string(),
  connections: z.number(),
  /** Most connections; at or above it the gateway takes no new ones. */
  capacity: z.number(),
  draining: z.boolean(),
  /** When it was announced, unix milliseconds. */
  at: z.number(),
});
export type GatewayEntry = z.infer<typeof gatewayEntry>;

/** HMAC with the cluster secret over these parts, as text. */
export type DirectoryMac = (parts: readonly string[]) => string;

export interface DirectoryOptions {
  mac: DirectoryMac;
  /** Older announcements are not live, milliseconds; gateways announce every second. */
  maxAgeMs?: number;
  now?: () => number;
}

const MAX_AGE_MS = 5_000;

/** A dead gateway's entry is taken out after this time. */
const FORGET_MS = TTL.directory * 1000;

/**
 * The list of gateways. Each proves the cluster secret: an HMAC over its whole entry (id, boot id,
 * URL, time, load). Entries without it or of another shape, and stale ones, are ignored and
 * counted.
 */
export class GatewayDirectory {
  private readonly mac: DirectoryMac;
  private readonly maxAgeMs: number;
  private readonly now: () => number;

  /** Entries ignored so far by `list`, by reason. */
  readonly ignored = { unsigned: 0, stale: 0 };

  constructor(
    private readonly client: RedisClient,
    options: DirectoryOptions,
  ) {
    this.mac = options.mac;
    this.maxAgeMs = options.maxAgeMs ?? MAX_AGE_MS;
    this.now = options.now ?? Date.now;
  }

  /** Writes this gateway's entry; once a second. Throws `RedisUnavailable`. */
  async announce(entry: GatewayEntry): Promise<void> {
    const json = JSON.stringify(entry);
    const value = `${this.mac([json])} ${json}`;
    await together<unknown>([
      this.client.hset(KEYS.directory(), id(entry.gatewayId), value),
      this.client.expire(KEYS.directory(), TTL.directory),
    ]);
  }

  /** Takes a gateway out at once (drain, stop). Throws `RedisUnavailable`. */
  async remove(gatewayId: string): Promise<void> {
    await settled(this.client.hdel(KEYS.directory(), id(gatewayId)));
  }

  /** The live gateways that proved the secret, draining ones too. Throws `RedisUnavailable`. */
  async list(): Promise<GatewayEntry[]> {
    const fields = await settled(this.client.hgetall(KEYS.directory()));
    const now = this.now();
    const live: GatewayEntry[] = [];
    const forgotten: Promise<unknown>[] = [];
    for (const [gatewayId, value] of Object.entries(fields)) {
      const entry = this.verified(gatewayId, value);
      if (!entry) this.ignored.unsigned += 1;
      else if (Math.abs(now - entry.at) <= this.maxAgeMs) live.push(entry);
      else {
        this.ignored.stale += 1;
        if (now - entry.at > FORGET_MS) {
          forgotten.push(forgetEntry(this.client, KEYS.directory(), gatewayId, value));
        }
      }
    }
    await Promise.all(forgotten);
    return live;
  }

  private verified(gatewayId: string, value: string): GatewayEntry | null {
    const space = value.indexOf(' ');
    const json = value.slice(space + 1);
    const given = Buffer.from(value.slice(0, Math.max(space, 0)));
    const expected = Buffer.from(this.mac([json]));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    const { data: entry } = gatewayEntry.safeParse(parsedJson(json));
    return entry?.gatewayId === gatewayId ? entry : null;
  }
}

/**
 * The gateways for a new connection: [primary, backup?], or [] when all are full or draining. Of
 * two random ones the less loaded comes first ("power of two choices", Mitzenmacher 2001). Gateways
 * to `avoid` are taken only when there is no other. `random` gives numbers in [0, 1).
 */
export function choose(
  list: readonly GatewayEntry[],
  avoid: readonly string[],
  random: () => number,
): GatewayEntry[] {
  const open = list.filter((entry) => !entry.draining && entry.connections < entry.capacity);
  const wanted = open.filter((entry) => !avoid.includes(entry.gatewayId));
  const candidates = wanted.length > 0 ? wanted : open;
  if (candidates.length < 2) return [...candidates];
  const first = Math.floor(random() * candidates.length);
  const other = Math.floor(random() * (candidates.length - 1));
  const pair = [candidates[first]!, candidates[other < first ? other : other + 1]!];
  return pair.sort((a, b) => load(a) - load(b));
}

function load(entry: GatewayEntry): number {
  return entry.connections / entry.capacity;
}
