import type { EachBatchPayload } from '../wire/client';
import type { Assignment } from './assignment';
import type { Assignments, PartitionControl } from './assignments';
import type { HandleOutcome, LogBatch } from './log-handler';
import type { OffsetCommits } from './offset-commits';
import { FetchedRecord } from '../wire/fetch-decoder';
import { decodeRecord } from '../../log-events/record';

export interface BatchRunnerOptions {
  assignments: Assignments;
  commits: OffsetCommits;
  control: PartitionControl;
  /** Hands a batch to the handler of its topic. */
  handle(batch: LogBatch): Promise<HandleOutcome>;
  /** Pause in milliseconds after the nth failure in a row. */
  backoff(failures: number): number;
  random(): number;
  reportError(error: unknown, what: string): void;
  onBatch?(batch: {
    topic: string;
    partition: number;
    records: number;
    ms: number;
    lag: bigint;
  }): void;
  onRetry?(retry: { topic: string; partition: number; from: bigint; pauseMs: number }): void;
}

/**
 * Runs the fetched batches of each partition one after another. Nothing is thrown into kafkajs (its
 * errors add up to a crash), and nothing waits inside a batch: a retry seeks back, pauses the
 * partition and resumes by timer.
 */
export class BatchRunner {
  private readonly running = new Set<Promise<void>>();
  private closing = false;

  constructor(private readonly options: BatchRunnerOptions) {}

  /** kafkajs' `eachBatch`. Never rejects. */
  run(payload: EachBatchPayload): Promise<void> {
    const work = this.process(payload).catch((error: unknown) =>
      this.options.reportError(error, 'running a batch'),
    );
    this.running.add(work);
    return work.finally(() => this.running.delete(work));
  }

  /** Starts no more batches, and waits at most `ms` for those that are running. */
  async close(ms: number): Promise<void> {
    this.closing = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([Promise.all(this.running), late]);
    clearTimeout(timer);
  }

  private async process(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const { assignments, control } = this.options;
    const assignment = assignments.get(topic, partition);
    const first = messages[0];
    if (this.closing || assignment?.state !== 'running' || !first) return;
    const offset = BigInt(first.offset);
    if (offset < assignment.expected) {
      control.seek(topic, partition, assignment.expected);
      return;
    }
    if (offset > assignment.expected && !assignments.gap(assignment, offset)) return;
    const batch = toBatch(payload, assignment);
    assignment.reachedAt = batch.records[0]!.timestamp;
    const startedAt = performance.now();
    const outcome = await this.outcomeOf(batch, assignment);
    if (assignment.ended) return;
    this.options.onBatch?.({
      topic,
      partition,
      records: batch.records.length,
      ms: performance.now() - startedAt,
      lag: batch.lag,
    });
    this.apply(outcome, batch, assignment, payload);
  }

  private async outcomeOf(batch: LogBatch, assignment: Assignment): Promise<HandleOutcome> {
    try {
      const outcome = await this.options.handle(batch);
      if ('retryAfterMs' in outcome) assignment.failures++;
      else assignment.failures = 0;
      return outcome;
    } catch (error) {
      assignment.failures++;
      this.options.reportError(error, `handling ${batch.topic}/${batch.partition}`);
      return { retryAfterMs: this.options.backoff(assignment.failures) };
    }
  }

  private apply(
    outcome: HandleOutcome,
    batch: LogBatch,
    assignment: Assignment,
    payload: EachBatchPayload,
  ): void {
    const { topic, partition } = batch;
    const { control, commits } = this.options;
    if ('retryAfterMs' in outcome) {
      this.retry(outcome.retryAfterMs, outcome.from ?? batch.firstOffset, assignment);
    } else if ('seek' in outcome) {
      assignment.expected = outcome.seek;
      control.seek(topic, partition, outcome.seek);
    } else {
      assignment.expected = outcome.commit ?? batch.nextOffset;
      assignment.reachedAt = batch.records.at(-1)!.timestamp;
      payload.resolveOffset(String(assignment.expected - 1n));
    }
    const moved = assignment.expected !== batch.firstOffset;
    if (moved && assignment.expected > (assignment.committed ?? -1n)) {
      commits.mark(topic, partition, assignment.expected, (offsets) =>
        payload.commitOffsetsIfNecessary(offsets),
      );
    }
  }

  private retry(afterMs: number, from: bigint, assignment: Assignment): void {
    const { topic, partition } = assignment;
    const { control, random } = this.options;
    const pauseMs = afterMs * (0.5 + random() / 2);
    assignment.state = 'pausing';
    assignment.expected = from;
    control.pause(topic, partition);
    control.seek(topic, partition, from);
    assignment.later(pauseMs, () => {
      assignment.state = 'running';
      control.resume(topic, partition);
    });
    this.options.onRetry?.({ topic, partition, from, pauseMs });
  }
}

function toBatch({ batch, heartbeat }: EachBatchPayload, assignment: Assignment): LogBatch {
  const { topic, partition } = batch;
  const records = batch.messages.map((message) =>
    message instanceof FetchedRecord ? message : decodeRecord(topic, partition, message),
  );
  const nextOffset = records.at(-1)!.offset + 1n;
  const highWatermark = BigInt(batch.highWatermark);
  return {
    topic,
    partition,
    records,
    firstOffset: records[0]!.offset,
    nextOffset,
    highWatermark,
    lag: highWatermark > nextOffset ? highWatermark - nextOffset : 0n,
    revoked: () => assignment.ended,
    heartbeat: () => heartbeat().catch(() => undefined),
  };
}
