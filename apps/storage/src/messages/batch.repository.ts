import type { Database } from '../database/database';
import { valuesOf } from '@tidings/common/runtime/one-by-one';
import { sqlState } from '@tidings/common/runtime/database-errors';
import type { LogState } from '../log/log-state';
import { APPLY_LOG_BATCHES } from './apply-log-batches.sql';
import { BatchCombiner, type Applied, type Batch } from './batch-combiner';
import { isChange, type LogChange, type LogEntry, type LogItem } from './record-decoder';

export type { Applied } from './batch-combiner';

/** Raised by {@link APPLY_LOG_BATCHES} when some of several fences refused: nothing was applied. */
const FENCED = 'TD001';

/** Applies consecutive records of partitions, or nothing at all: see {@link APPLY_LOG_BATCHES}. */
export class BatchRepository {
  private readonly combiner = new BatchCombiner((batches) => this.applyAll(batches));

  constructor(
    private readonly database: Database,
    private readonly log: LogState,
    /** Told of each statement that was applied. */
    private readonly onStatement: () => void = () => undefined,
  ) {}

  /** Applies the items among the offsets [first, next). */
  apply(
    partition: number,
    first: bigint,
    next: bigint,
    items: readonly LogItem[],
  ): Promise<Applied> {
    return this.combiner.apply({ partition, first, next, items });
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

  private async applyAll(batches: readonly Batch[]): Promise<Applied> {
    const items = batches.length === 1 ? batches[0]!.items : batches.flatMap((b) => b.items);
    const values = valuesOf(() => this.valuesOf(batches, items));
    try {
      const [row] = await this.database.rows<{ applied: boolean; inserted: number }>(
        {
          name: 'apply-log-batches',
          text: `SELECT applied, inserted FROM ${APPLY_LOG_BATCHES.name}(
                   $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                   $16, $17, $18, $19, $20, $21, $22)`,
        },
        values,
      );
      if (!row?.applied) return null;
      this.onStatement();
      return { inserted: row.inserted };
    } catch (error) {
      if (sqlState(error) === FENCED) return null;
      throw error;
    }
  }

  private valuesOf(batches: readonly Batch[], items: readonly LogItem[]): unknown[] {
    const changes = items.filter(isChange);
    const entries = items.filter((item): item is LogEntry => !isChange(item));
    return [
      this.log.topic,
      this.log.epoch,
      batches.map((b) => b.partition),
      plainArray(batches.map((b) => b.first)),
      plainArray(batches.map((b) => b.next)),
      ...entryArrays(entries),
      ...(changes.length > 0 ? changeArrays(changes) : NO_CHANGES),
    ];
  }
}

function entryArrays(entries: readonly LogEntry[]): unknown[] {
  return [
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
  ];
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
