import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutRecord } from '@tidings/common/log-events/record';
import type { Logger } from '@tidings/common/runtime/logger';
import { PartitionSpool } from './partition-spool';
import { SpoolBudget } from './spool-budget';
import { writeDurably, type DurableWrite } from './spool-files';
import type { SpoolLock } from './spool-lock';

/** One partition may have this part of all bytes, so that a busy one leaves room for others. */
const PARTITION_SHARE = 0.25;
/** Bytes of a partition that may wait for the disk. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024;

/** A directory for a spool, and the lock that keeps others out of it. */
export interface LockedDir {
  dir: string;
  lock: SpoolLock;
}

export interface SpoolStoreOptions extends LockedDir {
  partitions: number;
  /** Bytes that all partitions may have together. */
  maxBytes: number;
  logger: Pick<Logger, 'warn' | 'error'>;
  /** An entry that an earlier run left. */
  found(partition: number, sequence: number, record: OutRecord): void;
  /** Entries that were stored and cannot be read any more. */
  lost(partition: number, from: number, to: number): void;
}

/** The spools of all partitions under one lock. */
export class SpoolStore {
  private constructor(
    private readonly lock: SpoolLock,
    private readonly budget: SpoolBudget,
    readonly partitions: readonly PartitionSpool[],
  ) {}

  /**
   * Reads what is there; gives the lock back when that fails. Throws when the directory cannot be read or
   * holds partitions that the log does not have.
   */
  static async open(options: SpoolStoreOptions): Promise<SpoolStore> {
    const { dir, lock } = options;
    try {
      const budget = new SpoolBudget({
        inAll: options.maxBytes,
        perPartition: options.maxBytes * PARTITION_SHARE,
        unwritten: MAX_UNWRITTEN_BYTES,
      });
      await checkPartitions(dir, options.partitions);
      const partitions = Array.from({ length: options.partitions }, (_, partition) =>
        spoolOf(partition, budget, options),
      );
      for (const [partition, spool] of partitions.entries()) {
        await spool.open((record, sequence) => options.found(partition, sequence, record));
      }
      return new SpoolStore(lock, budget, partitions);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Told once, when another process has taken the spool: nothing is held any more. */
  onTaken(told: () => void): void {
    this.lock.onTaken(told);
  }

  /** Entries on the disk. */
  get entries(): number {
    return this.partitions.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes of all files and of what waits for the disk. */
  get bytes(): number {
    return this.budget.bytes;
  }

  /** Unix milliseconds at which the oldest entry was sent; null when there is none. */
  get oldestAt(): number | null {
    const times = this.partitions.map(({ oldestAt }) => oldestAt).filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Waits for the disk, closes the files and gives the lock back; what is stored stays. */
  async close(): Promise<void> {
    await Promise.allSettled(this.partitions.map((spool) => spool.close()));
    await this.lock.release();
  }
}

function spoolOf(
  partition: number,
  budget: SpoolBudget,
  { dir, lock, logger, lost }: SpoolStoreOptions,
): PartitionSpool {
  const stillOurs = (): Promise<void> => lock.check();
  // behind the fsync: what is on the disk before the lock is lost is read by whoever takes it
  const write: DurableWrite = async (file, data, at) => {
    await writeDurably(file, data, at);
    await stillOurs();
  };
  return new PartitionSpool({
    dir: join(dir, String(partition)),
    budget,
    stillOurs,
    write,
    onDamage: (damage) =>
      logger.warn(
        { partition, ...damage },
        'the spool has a torn or damaged end, which is left out',
      ),
    onLost: (from, to) => {
      logger.error(
        { partition, entries: to - from },
        'held messages were lost by damage on the disk',
      );
      lost(partition, from, to);
    },
  });
}

/** A conversation belongs to another partition when their number changes: nothing may be left then. */
async function checkPartitions(dir: string, partitions: number): Promise<void> {
  const beyond = (await readdir(dir)).find((name) => /^\d+$/.test(name) && +name >= partitions);
  if (beyond === undefined) return;
  throw new Error(
    `${dir} holds partition ${beyond}, but the log has ${partitions}: ` +
      'start once with the former KAFKA_PARTITIONS, so that it drains',
  );
}
