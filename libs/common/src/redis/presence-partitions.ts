import { settled, together, type RedisClient } from './client';
import { id, KEYS } from './keys';
import { claimPartition } from './scripts/claim-partition.script';
import { forgetClocks } from './scripts/forget-clock.script';
import { indexPresence, type IndexEntry } from './scripts/index-presence.script';
import type { GatewayBoot } from './watchers';

export type { IndexEntry } from './scripts/index-presence.script';

/** Who keeps the presence of a partition's users, and since when what is stored is complete. */
export interface PartitionClaim {
  /** The fence of the indexes: the latest process to claim the partition has it. */
  term: string;
  /** Ms of Redis' clock; 0: always. */
  sinceMs: number;
}

/** Another process now keeps this partition. */
class OtherKeeper extends Error {
  override readonly name = 'OtherKeeper';
}

/** Nobody keeps this partition: what Redis had of it is gone. */
export class NoKeeper extends Error {
  override readonly name = 'NoKeeper';
}

/** A user whose clocks are to be saved; `score` is what is saved of them. */
export interface ClocksDue {
  userId: string;
  score: string;
}

/**
 * What the presence service must find without asking about every user, per partition of its topic:
 * who is due when, who is connected to which boot of a gateway, whose clocks are not in the table
 * yet, and whose last change is not in the log. An index may have too many users, never too few: it
 * is written before the state it leads to. All methods throw `RedisUnavailable`.
 */
export class PresencePartitions {
  constructor(private readonly client: RedisClient) {}

  /**
   * Claims a partition. `isFirst`: nothing of its topic was ever applied, so nothing can be
   * missing.
   */
  claim(partition: number, isFirst: boolean): Promise<PartitionClaim> {
    const claim = { sinceMs: isFirst ? 0 : ('now' as const), doubtful: false };
    return claimPartition(this.client, KEYS.presenceKeeper(partition), claim);
  }

  /** Claims a partition of which Redis may have lost something just now. */
  claimDoubtful(partition: number): Promise<PartitionClaim> {
    const claim = { sinceMs: 'now' as const, doubtful: true };
    return claimPartition(this.client, KEYS.presenceKeeper(partition), claim);
  }

  /** Since when the partitions are complete, aligned; null: nobody keeps it. */
  async wholeSince(partitions: readonly number[]): Promise<(number | null)[]> {
    const found = await together(
      partitions.map((partition) => this.client.hget(KEYS.presenceKeeper(partition), 'since')),
    );
    return found.map((since) => (since === null ? null : Number(since)));
  }

  /** Changes the indexes. Throws {@link OtherKeeper}, {@link NoKeeper}. */
  async index(partition: number, term: string, entries: readonly IndexEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const keys = {
      keeperKey: KEYS.presenceKeeper(partition),
      dueKey: KEYS.presenceDue(partition),
      bootsKey: KEYS.presenceBoots(partition),
      clocksKey: KEYS.presenceClocks(partition),
      untoldKey: KEYS.presenceUntold(partition),
    };
    const outcome = await indexPresence(this.client, keys, term, entries);
    if (outcome === 'other') throw new OtherKeeper(`partition ${partition} is kept elsewhere`);
    if (outcome === 'nobody') throw new NoKeeper(`nobody keeps partition ${partition}`);
  }

  /** The users who are due by now, the longest overdue first, at most `count`. */
  async due(partition: number, nowMs: number, count: number): Promise<string[]> {
    const key = KEYS.presenceDue(partition);
    return settled(this.client.zrangebyscore(key, '-inf', String(nowMs), 'LIMIT', 0, count));
  }

  /** The users whose last change may not be in the log, at most `count`. */
  async untold(partition: number, count: number): Promise<string[]> {
    return settled(this.client.zrange(KEYS.presenceUntold(partition), 0, String(count - 1)));
  }

  /** Redis' clock, ms. */
  async nowMs(): Promise<number> {
    const [seconds, micros] = await settled(this.client.time());
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  /** The boots to which users of the partition are connected, at most `count`. */
  async boots(partition: number, count: number): Promise<GatewayBoot[]> {
    const boots: GatewayBoot[] = [];
    let from = '-';
    while (boots.length < count) {
      const key = KEYS.presenceBoots(partition);
      const [member] = await settled(this.client.zrangebylex(key, from, '+', 'LIMIT', 0, 1));
      const [gatewayId, bootId] = member?.split('|') ?? [];
      if (gatewayId === undefined || bootId === undefined) break;
      boots.push({ gatewayId, bootId });
      // after all users of this boot: the separator's next character
      from = `[${gatewayId}|${bootId}}`;
    }
    return boots;
  }

  /** Users who are connected to a boot, at most `count`. */
  async usersOn(
    partition: number,
    { gatewayId, bootId }: GatewayBoot,
    count: number,
  ): Promise<string[]> {
    const begin = `${gatewayId}|${bootId}|`;
    const key = KEYS.presenceBoots(partition);
    const found = await settled(
      this.client.zrangebylex(key, `[${begin}`, `(${gatewayId}|${bootId}}`, 'LIMIT', 0, count),
    );
    return found.map((member) => member.slice(begin.length));
  }

  /**
   * The users whose clocks are not saved yet, the oldest first, at most `count`, without the first
   * `skip`.
   */
  async clocks(partition: number, skip: number, count: number): Promise<ClocksDue[]> {
    const key = KEYS.presenceClocks(partition);
    const last = String(skip + count - 1);
    const found = await settled(this.client.zrange(key, skip, last, 'WITHSCORES'));
    return pairs(found).map(([userId, score]) => ({ userId, score }));
  }

  /** The clocks of these users are saved; those who were seen meanwhile stay. */
  async clocksKept(partition: number, kept: readonly ClocksDue[]): Promise<void> {
    await forgetClocks(
      this.client,
      KEYS.presenceClocks(partition),
      kept.map(({ userId, score }) => ({ member: userId, score })),
    );
  }
}

/** A user in the index of boots. */
export function onBoot({ gatewayId, bootId }: GatewayBoot, userId: string): string {
  return `${id(gatewayId)}|${id(bootId)}|${id(userId)}`;
}

function pairs(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i]!, flat[i + 1]!]);
  return found;
}
