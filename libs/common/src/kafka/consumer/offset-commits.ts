import type { Offsets } from '../wire/client';
import { partitionKey } from './assignment';

/** Commits offsets of the current group generation; rejects when the coordinator refuses. */
export type CommitOffsets = (offsets: Offsets) => Promise<void>;

interface Due {
  topic: string;
  partition: number;
  offset: bigint;
}

/**
 * Collects what is to be committed and commits all partitions in one request per interval. The
 * commit function comes with each mark, because it belongs to one group generation (the consumer's
 * automatic commit would repeat old offsets after a rebalance).
 */
export class OffsetCommits {
  private readonly due = new Map<string, Due>();
  private commit: CommitOffsets | null = null;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | null = null;

  constructor(
    private readonly intervalMs: number,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** The group's offset of this partition shall become `offset`. */
  mark(topic: string, partition: number, offset: bigint, commit: CommitOffsets): void {
    this.due.set(partitionKey(topic, partition), { topic, partition, offset });
    this.commit = commit;
    this.timer ??= setTimeout(() => void this.flush(), this.intervalMs);
  }

  /**
   * Commits now what is due. Never rejects: what failed stays due until it succeeds or is dropped.
   */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.running) await this.running;
    if (this.due.size === 0 || !this.commit) return;
    this.running = this.send([...this.due.values()], this.commit).finally(() => {
      this.running = null;
    });
    await this.running;
  }

  /** Drops everything that is due: its generation is over. */
  forget(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.due.clear();
    this.commit = null;
  }

  private async send(entries: Due[], commit: CommitOffsets): Promise<void> {
    const topics = new Map<string, { partition: number; offset: string }[]>();
    for (const { topic, partition, offset } of entries) {
      const group = topics.get(topic) ?? [];
      group.push({ partition, offset: offset.toString() });
      topics.set(topic, group);
    }
    try {
      await commit({
        topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
      });
    } catch (error) {
      this.onError(error);
      if (this.due.size > 0) this.timer ??= setTimeout(() => void this.flush(), this.intervalMs);
      return;
    }
    for (const entry of entries) {
      const key = partitionKey(entry.topic, entry.partition);
      if (this.due.get(key) === entry) this.due.delete(key);
    }
  }
}
