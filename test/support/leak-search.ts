import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { createRedis, redisReady, type RedisClient } from '@tidings/common/redis/client';
import type { Client } from 'pg';
import { readTopic } from './kafka-topic';

/*
 * Looks for a text in everything that may keep it. Each search gives the places where it is found, in a form
 * that a failed test can show.
 */

const READ_BYTES = 4 * 1024 * 1024;

/** Paths of all files below a directory (which may be missing) whose bytes hold the text. */
export function filesHolding(dir: string, text: string): string[] {
  return filesBelow(dir).filter((path) => fileHolds(path, Buffer.from(text)));
}

/** Paths of all files below a directory; none when it is missing. */
export function filesBelow(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function fileHolds(path: string, needle: Buffer): boolean {
  const chunk = Buffer.alloc(READ_BYTES + needle.length);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    let kept = 0;
    for (;;) {
      const read = readSync(file, chunk, kept, READ_BYTES, null);
      if (read === 0) return false;
      const filled = chunk.subarray(0, kept + read);
      if (filled.includes(needle)) return true;
      // the text may lie across two reads
      kept = Math.min(needle.length - 1, filled.length);
      chunk.copyWithin(0, filled.length - kept, filled.length);
    }
  } finally {
    closeSync(file);
  }
}

/** A file may go while we look. */
function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Tables of all schemas that have rows which hold the text, as text or as bytes. */
export async function tablesHolding(sql: Client, text: string): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const patterns = [`%${text}%`, `%${Buffer.from(text).toString('hex')}%`];
  const found: string[] = [];
  for (const { name } of rows) {
    const { rows: holding } = await sql.query(
      `SELECT 1 FROM ${name} t WHERE t::text LIKE ANY ($1) LIMIT 1`,
      [patterns],
    );
    if (holding.length > 0) found.push(name);
  }
  return found;
}

const silent = { info: () => undefined, warn: () => undefined };

/** A ready connection for {@link redisKeysHolding}; to be disconnected. */
export async function searchedRedis(url: string): Promise<RedisClient> {
  const client = createRedis(url, { name: 'test', log: silent });
  await redisReady(client, 10_000);
  return client;
}

/** How to read all of a Redis value, by its type. */
const READS: Record<string, (key: string) => [command: string, ...args: string[]]> = {
  string: (key) => ['GET', key],
  hash: (key) => ['HGETALL', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1'],
  stream: (key) => ['XRANGE', key, '-', '+'],
};

/** Redis keys whose name or value holds the text. */
export async function redisKeysHolding(client: RedisClient, text: string): Promise<string[]> {
  const found: string[] = [];
  const needle = Buffer.from(text);
  let cursor = '0';
  do {
    const [next, keys] = await client.scan(cursor, 'COUNT', 500);
    cursor = next;
    for (const key of keys) {
      const type = await client.type(key);
      const read = READS[type];
      if (!read && type !== 'none')
        throw new Error(`${key} is a ${type}: it cannot be looked through`);
      const value = read ? await client.callBuffer(...read(key)) : null;
      if (key.includes(text) || holds(value, needle)) found.push(`${type} ${key}`);
    }
  } while (cursor !== '0');
  return found;
}

function holds(value: unknown, needle: Buffer): boolean {
  if (Array.isArray(value)) return value.some((one) => holds(one, needle));
  return Buffer.isBuffer(value) && value.includes(needle);
}

/** Records of topics, from their start to the end they have now, that hold the text. */
export async function recordsHolding(
  kafka: KafkaClient,
  topics: readonly string[],
  text: string,
): Promise<string[]> {
  const found: string[] = [];
  for (const topic of topics) {
    for (const record of (await readTopic(kafka, topic)).flat()) {
      const headers = Object.values(record.headers ?? {})
        .map(String)
        .join('\n');
      if (!record.value.includes(text) && !headers.includes(text)) continue;
      found.push(`${topic}/${record.partition}@${record.offset}`);
    }
  }
  return found;
}
