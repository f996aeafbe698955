import { TOPICS } from '@tidings/common/log-events/topics';
import type { PartitionBounds } from '@tidings/common/kafka/offsets/log-offsets';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import type { Sql } from '../database/database';

/** The log and the database do not belong together; the message says what to do. */
export class LogMismatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LogMismatchError';
  }
}

/** The first epoch of a new database. */
export const FIRST_EPOCH = 1;

/** Position of offset 0 in the first epoch: 1, because "0" stands for no entry at all. */
export const FIRST_BASE = 1n;

/** Conversations whose partition is remembered: hashing an id costs more than all else about it. */
const REMEMBERED = 20_000;

/** Epoch of the conversation log and how its offsets become positions; fixed while a process runs. */
export class LogState {
  private readonly remembered = new Map<string, number>();

  constructor(
    readonly topic: string,
    readonly epoch: number,
    /** Position of offset 0, per partition. */
    readonly bases: readonly bigint[],
  ) {}

  get partitions(): number {
    return this.bases.length;
  }

  /** Partition of a conversation. */
  partitionOf(conversationId: string): number {
    const known = this.remembered.get(conversationId);
    if (known !== undefined) return known;
    if (this.remembered.size >= REMEMBERED) this.remembered.clear();
    const partition = partitionOf(conversationId, this.bases.length);
    this.remembered.set(conversationId, partition);
    return partition;
  }

  /** Position of an offset. */
  position(partition: number, offset: bigint): bigint {
    return this.bases[partition]! + offset;
  }
}

/** Next offset to apply, per partition. */
export async function readApplied(sql: Sql, topic: string): Promise<bigint[]> {
  const rows = await sql.rows<{ next: string }>(
    {
      name: 'log-applied',
      text: 'SELECT next FROM log_progress WHERE topic = $1 ORDER BY partition',
    },
    [topic],
  );
  return rows.map((row) => BigInt(row.next));
}

/** Writes the progress of a new log: first epoch, nothing applied. Rows that exist stay. */
export async function createProgress(sql: Sql, topic: string, partitions: number): Promise<void> {
  await sql.rows(
    {
      text: `INSERT INTO log_progress (topic, partition, epoch, epoch_base, next)
             SELECT $1, p, $3, $4, 0 FROM generate_series(0, $2::int - 1) p
             ON CONFLICT DO NOTHING`,
    },
    [topic, partitions, FIRST_EPOCH, FIRST_BASE],
  );
}

/** Reads the state of the conversation log. Throws {@link LogMismatchError}. */
export async function loadLogState(sql: Sql, partitions: number): Promise<LogState> {
  const topic = TOPICS.messages;
  const rows = await sql.rows<{ partition: number; epoch: number; base: string }>(
    {
      text: `SELECT partition, epoch, epoch_base AS base FROM log_progress
             WHERE topic = $1 ORDER BY partition`,
    },
    [topic],
  );
  if (rows.length !== partitions) {
    throw new LogMismatchError(
      `the database knows ${rows.length} partitions of ${topic}, but ${partitions} are configured; ` +
        'run the prepare command, with the partition count that the topic was created with',
    );
  }
  const epoch = rows[0]!.epoch;
  if (rows.some((row, i) => row.epoch !== epoch || row.partition !== i)) {
    throw new LogMismatchError(`the partitions of ${topic} are in different epochs`);
  }
  return new LogState(
    topic,
    epoch,
    rows.map((row) => BigInt(row.base)),
  );
}

/** Throws {@link LogMismatchError} when the next offset to apply lies outside the log. */
export function checkBounds(
  topic: string,
  partition: number,
  next: bigint,
  { low, high }: PartitionBounds,
): void {
  if (next > high) {
    throw new LogMismatchError(
      `${topic}/${partition} ends at offset ${high}, but the database has applied up to ${next}: ` +
        'the log was recreated or lost its end. Stop all services and raise the log epoch',
    );
  }
  if (next < low) {
    throw new LogMismatchError(
      `${topic}/${partition} starts at offset ${low}, but the database needs ${next} next: ` +
        'retention has removed records that were not stored. Restore a newer backup of the ' +
        'database, or stop all services and raise the log epoch, which gives those records up',
    );
  }
}
