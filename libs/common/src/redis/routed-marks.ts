import { settled, type RedisClient } from './client';
import { KEYS, TTL } from './keys';
import { addRouted } from './scripts/add-routed.script';

/** The records at positions [from, next) of a partition had been routed at this time (Unix ms). */
export interface RoutedMark {
  from: bigint;
  next: bigint;
  atMs: number;
}

/** How many marks are kept per partition, at least; about 25 bytes each. */
const MAX_MARKS = 10_000;

/** When the latest records were routed: in ranges, bounded, and gone with Redis. */
export class RoutedMarks {
  constructor(private readonly client: RedisClient) {}

  /** Adds marks, for each partition in ascending order. Throws `RedisUnavailable`. */
  async add(marks: ReadonlyMap<number, readonly RoutedMark[]>): Promise<void> {
    const calls = [...marks].map(([partition, own]) => ({
      keys: [KEYS.routed(partition)],
      args: [
        TTL.routed * 1000,
        MAX_MARKS,
        ...own.flatMap(({ next, atMs, from }) => [String(next), atMs, String(from)]),
      ],
    }));
    await addRouted(this.client, calls);
  }

  /** When a record was routed, Unix ms; null: unknown (any more). Throws `RedisUnavailable`. */
  async at(partition: number, position: bigint): Promise<number | null> {
    const start = `${position + 1n}-0`;
    const entries = await settled(
      this.client.xrange(KEYS.routed(partition), start, '+', 'COUNT', 1),
    );
    const [id, [, from] = []] = entries[0] ?? [];
    if (id === undefined || from === undefined || BigInt(from) > position) return null;
    return Number(id.slice(id.indexOf('-') + 1));
  }
}
