import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '@tidings/common/log-events/topics';
import { Redis } from 'ioredis';
import { Client } from 'pg';

/** Where the stores are. */
export interface StorePlaces {
  redisUrl: string;
  databaseUrl: string;
  /** Kafka's folder of partitions on this machine; null: it is elsewhere */
  logDir: string | null;
}

/** What the stores hold at one moment. */
export interface Footprint {
  /** `used_memory` */
  redisBytes: number;
  redisKeys: number;
  /** tables and indexes */
  databaseBytes: number;
  /** written ahead since the database was made */
  walBytes: number;
  /** records of the topic of messages, one copy; null: not known */
  logBytes: number | null;
}

/** The stores before anybody is connected, with all connections, and after everything is stored. */
export interface Footprints {
  before: Footprint;
  connected: Footprint;
  after: Footprint;
}

/** What one more connection or message costs the stores, bytes; null: not known. */
export interface StoreCosts {
  redisPerConnection: number;
  databasePerMessage: number;
  walPerMessage: number;
  logPerMessage: number | null;
}

const SIZES_SQL = `SELECT pg_database_size(current_database())::float8 AS database,
  pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal`;

/** Asks the stores. Costs them some milliseconds. */
export async function footprint({
  redisUrl,
  databaseUrl,
  logDir,
}: StorePlaces): Promise<Footprint> {
  const redis = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  const client = new Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  try {
    await Promise.all([redis.connect(), client.connect()]);
    const [memory, redisKeys, sizes] = await Promise.all([
      redis.info('memory'),
      redis.dbsize(),
      client.query<{ database: number; wal: number }>(SIZES_SQL),
    ]);
    const { database: databaseBytes, wal: walBytes } = sizes.rows[0]!;
    const redisBytes = Number(/^used_memory:(\d+)/m.exec(memory)?.[1]);
    const logBytes = logDir === null ? null : logBytesIn(logDir);
    return { redisBytes, redisKeys, databaseBytes, walBytes, logBytes };
  } finally {
    redis.disconnect();
    await client.end().catch(() => undefined);
  }
}

/** What a run has added, by connection and by message. */
export function storeCosts(
  { before, connected, after }: Footprints,
  { connections, messages }: { connections: number; messages: number },
): StoreCosts {
  const each = (of: (one: Footprint) => number): number =>
    (of(after) - of(connected)) / Math.max(1, messages);
  const known = after.logBytes !== null && connected.logBytes !== null;
  return {
    redisPerConnection: (connected.redisBytes - before.redisBytes) / Math.max(1, connections),
    databasePerMessage: each(({ databaseBytes }) => databaseBytes),
    walPerMessage: each(({ walBytes }) => walBytes),
    logPerMessage: known ? each(({ logBytes }) => logBytes ?? 0) : null,
  };
}

/** The same in one line. */
export function storesText(costs: StoreCosts): string {
  const bytes = (value: number | null): string => (value === null ? 'unknown' : value.toFixed(0));
  return (
    `   stores: ${bytes(costs.redisPerConnection)} bytes of Redis per connection; per message ` +
    `${bytes(costs.logPerMessage)} bytes of the log, ${bytes(costs.databasePerMessage)} of tables and indexes, ` +
    `${bytes(costs.walPerMessage)} written ahead`
  );
}

/** Bytes of the segments of the topic of messages: indexes are made larger than they are. */
function logBytesIn(logDir: string): number | null {
  try {
    return readdirSync(logDir)
      .filter((name) => name.startsWith(`${TOPICS.messages}-`))
      .flatMap((partition) => segmentsIn(join(logDir, partition)))
      .reduce((sum, file) => sum + statSync(file).size, 0);
  } catch {
    return null;
  }
}

function segmentsIn(dir: string): string[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith('.log'))
    .map((file) => join(dir, file));
}
