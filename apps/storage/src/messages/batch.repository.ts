import type { Database } from '../database/database';
import type { LogState } from '../log/log-state';
import { isChange, type LogChange, type LogEntry, type LogItem } from './record-decoder';

/** What a batch did: null when the fence refused it (somebody else has applied it, or none of it). */
export type Applied = { inserted: number } | null;

/** Applies consecutive records of a partition, or nothing at all: see the function in the migration. */
export class BatchRepository {
  constructor(
    private readonly database: Database,
    private readonly log: LogState,
  ) {}

  /** Applies the items among the offsets [first, next). */
  async apply(
    partition: number,
    first: bigint,
    next: bigint,
    items: readonly LogItem[],
  ): Promise<Applied> {
    const changes = items.filter(isChange);
    const entries = items.filter((item): item is LogEntry => !isChange(item));
    const [row] = await this.database.rows<{ applied: boolean; inserted: number }>(
      {
        name: 'apply-log-batch',
        text: `SELECT applied, inserted FROM apply_log_batch(
                 $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                 $16, $17, $18, $19, $20, $21, $22)`,
      },
      [
        this.log.topic,
        partition,
        this.log.epoch,
        first,
        next,
        plainArray(entries.map((e) => e.conversationId)),
        plainArray(entries.map((e) => e.messageId)),
        plainArray(entries.map((e) => e.position)),
        plainArray(entries.map((e) => e.senderId)),
        plainArray(entries.map((e) => e.sentAt)),
        plainArray(entries.map((e) => e.expiresAt)),
        plainArray(entries.map((e) => e.kind)),
        plainArray(entries.map((e) => e.contentHash)),
        entries.map((e) => e.content),
        entries.some((e) => e.extras !== null) ? entries.map((e) => e.extras) : null,
        ...(changes.length > 0 ? changeArrays(changes) : NO_CHANGES),
      ],
    );
    return row?.applied ? { inserted: row.inserted } : null;
  }

  /** Epoch and next offset of a partition. */
  async progress(partition: number): Promise<{ epoch: number; next: bigint } | null> {
    const [row] = await this.database.rows<{ epoch: number; next: string }>(
      {
        name: 'partition-progress',
        text: 'SELECT epoch, next FROM log_progress WHERE topic = $1 AND partition = $2',
      },
      [this.log.topic, partition],
    );
    return row ? { epoch: row.epoch, next: BigInt(row.next) } : null;
  }
}

const NO_CHANGES = [null, null, null, null, null, null, null];

function changeArrays(changes: readonly LogChange[]): unknown[] {
  return [
    plainArray(changes.map((c) => c.conversationId)),
    plainArray(changes.map((c) => c.changeId)),
    plainArray(changes.map((c) => c.position)),
    plainArray(changes.map((c) => c.messageId)),
    plainArray(changes.map((c) => c.userId)),
    plainArray(changes.map((c) => c.hash)),
    changes.map((c) => c.content),
  ];
}

/**
 * An array in PostgreSQL's text form. Its values hold neither `"` nor a backslash (ids, numbers, times: the
 * decoder has checked them), so it is made without looking at each character, as pg would.
 */
function plainArray(values: readonly (string | bigint | null)[]): string {
  if (values.length === 0) return '{}';
  if (!values.includes(null)) return `{"${values.join('","')}"}`;
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value}"`)).join(',')}}`;
}
