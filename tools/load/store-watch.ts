import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { monotonicMs } from './clock';
import type { ProgressSamples } from './stored-latency';

/** How a pipeline's store is looked into. */
export interface StoreSpec {
  databaseUrl: string;
  /** → partition, base, next: one row per partition */
  progressSql: string;
  /** ($1 conversation ids text[], $2 lowest positions bigint[]) → conversation_id, message_id, position */
  messagesSql: string;
}

interface ProgressRow {
  partition: number;
  base: string;
  next: string;
}

/** Time between two looks: the resolution of send → stored. */
const INTERVAL_MS = 20;

/**
 * Looks every 20 ms how far the store has come. A query costs PostgreSQL some 100 µs; it runs in
 * the orchestrator, so that the generator does nothing beside its load.
 */
export class StoreWatch {
  private readonly samples: ProgressSamples = { atMs: [], next: [], bases: [] };
  private stopped = false;
  private looping: Promise<void> = Promise.resolve();

  private constructor(
    private readonly client: Client,
    private readonly sql: string,
  ) {}

  /** Connects and begins to look. */
  static async start(spec: StoreSpec): Promise<StoreWatch> {
    const client = new Client({ connectionString: spec.databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    const watch = new StoreWatch(client, spec.progressSql);
    await watch.look();
    watch.looping = watch.loop();
    return watch;
  }

  /** Partitions of the log. */
  get partitions(): number {
    return this.samples.bases.length;
  }

  /** Forgets what was seen so far, but for the last look. */
  reset(): void {
    this.samples.atMs.splice(0, this.samples.atMs.length - 1);
    this.samples.next.splice(0, this.samples.next.length - 1);
  }

  /** How many records up to these positions (one per partition, -1: none) are not applied yet. */
  behind(highest: readonly number[], atMs = Infinity): number {
    let index = this.samples.atMs.length - 1;
    while (index > 0 && this.samples.atMs[index]! > atMs) index--;
    const next = this.samples.next[index] ?? [];
    return highest.reduce((sum, position, partition) => {
      if (position < 0) return sum;
      const applied = (this.samples.bases[partition] ?? 0) + (next[partition] ?? 0);
      return sum + Math.max(0, position + 1 - applied);
    }, 0);
  }

  /** Waits until everything up to these positions is applied; ms after `sinceMs`, null when it is not in time. */
  async caughtUp(
    highest: readonly number[],
    sinceMs: number,
    timeoutMs: number,
  ): Promise<number | null> {
    const limit = monotonicMs() + timeoutMs;
    while (this.behind(highest) > 0) {
      if (monotonicMs() > limit || this.stopped) return null;
      await delay(INTERVAL_MS);
    }
    const done = this.samples.atMs.find((atMs) => this.behind(highest, atMs) === 0) ?? sinceMs;
    return Math.max(0, done - sinceMs);
  }

  /** A copy of what was seen. */
  seen(): ProgressSamples {
    const { atMs, next, bases } = this.samples;
    return { atMs: [...atMs], next: [...next], bases: [...bases] };
  }

  /** Ends the looking and the connection. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.looping;
    await this.client.end().catch(() => undefined);
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      const began = monotonicMs();
      await this.look().catch(() => undefined);
      await delay(Math.max(1, INTERVAL_MS - (monotonicMs() - began)));
    }
  }

  private async look(): Promise<void> {
    const { rows } = await this.client.query<ProgressRow>(this.sql);
    const next: number[] = [];
    for (const row of rows) {
      next[row.partition] = Number(row.next);
      this.samples.bases[row.partition] = Number(row.base);
    }
    // the answer's time: what it shows was true before, so a latency is never too short
    this.samples.atMs.push(monotonicMs());
    this.samples.next.push(next);
  }
}
