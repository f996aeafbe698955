import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Client } from 'pg';
import { TOPICS } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import type { RedisClient } from '@tidings/common/redis/client';
import type { Stack } from '../../tools/stack/stack';
import { eventually } from './eventually';
import { searchedRedis } from './leak-search';
import { filesBelow } from './uploads';

const REST_WITHIN_MS = 30_000;
const REST_PAUSE_MS = 500;

const TABLES = `SELECT format('%I.%I', table_schema, table_name) AS name
  FROM information_schema.tables
  WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`;

/**
 * Keys that change though nobody does anything: leases, members of groups, tickets, marks of what was
 * routed, guesses that were counted a moment ago. And the copies of who is a member, which whoever asks
 * may renew: their source is looked at in the tables.
 */
const RESTLESS_KEYS = /^\{(?:g:|n:|k:|p:|t:|directory\}|l:[^}]*\}:taken:|c:[^}]*\}:members$)/;
/** Tables that do: when the connected users were last seen. */
const RESTLESS_TABLES = ['presence.last_seen'];

/** Everything that a request can leave behind: two looks are equal when nothing was left between them. */
export interface Look {
  /** By table: how many rows, and a hash of what they say. */
  rows: Record<string, string>;
  /** The ends of the log's partitions. */
  log: string[];
  /** Redis keys, with hashes of their values. */
  keys: Record<string, string>;
  /** Files with their sizes. */
  files: string[];
}

/**
 * What a request can leave behind: rows of any table, records of the log, keys in Redis, files of uploads
 * and of spools.
 */
export class LeftBehind {
  private readonly sql: Client;
  private resting: Look | null = null;
  private readonly offsets: LogOffsets;

  private constructor(
    private readonly stack: Stack,
    private readonly redis: RedisClient,
  ) {
    this.sql = new Client({ connectionString: stack.databaseUrl });
    const kafka = createKafka({ brokers: stack.brokers.split(','), clientId: 'left-behind' });
    this.offsets = new LogOffsets(kafka);
  }

  static async of(stack: Stack): Promise<LeftBehind> {
    const looker = new LeftBehind(stack, await searchedRedis(stack.redisUrl));
    await looker.sql.connect();
    return looker;
  }

  /** Everything as it is now. */
  async look(): Promise<Look> {
    const [rows, log, keys] = [await this.rows(), await this.log(), await this.keys()];
    return { rows, log, keys, files: this.files() };
  }

  /** What the last {@link rest} found. */
  get before(): Look {
    if (!this.resting) throw new Error('nobody has waited for rest');
    return this.resting;
  }

  /** Waits until nothing changes any more: what was done before is stored. Gives what is there then. */
  async rest(): Promise<Look> {
    let before: Look | null = null;
    return eventually(
      async () => {
        const last = before;
        before = await this.look();
        if (!isDeepStrictEqual(before, last)) throw new Error('still changing');
        return (this.resting = before);
      },
      REST_WITHIN_MS,
      REST_PAUSE_MS,
    );
  }

  /** Files of uploads and of the gateways' own folders (spools), with their sizes. */
  files(): string[] {
    return ['media', 'nodes']
      .flatMap((dir) => filesBelow(join(this.stack.dir, dir)))
      .map((path) => `${path} ${statSync(path, { throwIfNoEntry: false })?.size ?? 0}`);
  }

  async close(): Promise<void> {
    this.offsets.close();
    this.redis.disconnect();
    await this.sql.end();
  }

  private async rows(): Promise<Record<string, string>> {
    const { rows } = await this.sql.query<{ name: string }>(TABLES);
    const looks = rows.map(({ name }) => {
      const what = RESTLESS_TABLES.includes(name) ? 'NULL' : 'md5(t::text)';
      return `SELECT '${name}' AS name, format('%s %s', count(*),
                md5(string_agg(${what}, '' ORDER BY ${what}))) AS rows FROM ${name} t`;
    });
    const found = await this.sql.query<{ name: string; rows: string }>(looks.join(' UNION ALL '));
    return Object.fromEntries(found.rows.map((one) => [one.name, one.rows]));
  }

  private async keys(): Promise<Record<string, string>> {
    const names = (await this.redis.keys('*')).filter((name) => !RESTLESS_KEYS.test(name)).sort();
    const values = await Promise.all(names.map((name) => this.redis.dumpBuffer(name)));
    const hashes = values.map((value) =>
      createHash('sha256')
        .update(value ?? '')
        .digest('hex'),
    );
    return Object.fromEntries(names.map((name, i) => [name, hashes[i]!]));
  }

  private async log(): Promise<string[]> {
    const topics = [TOPICS.messages, TOPICS.receipts, TOPICS.signals];
    const bounds = await Promise.all(topics.map((topic) => this.offsets.logBounds(topic)));
    return bounds.flat().map(({ high }) => String(high));
  }
}
