import { LaneConnections, NotSentError } from './lane-connections';
import type { KafkaClient } from '../wire/client';
import type { PartitionQueue, Pending } from './partition-queue';
import { ProduceEncoder, UnencodableRecord, type PartitionAnswer } from '../wire/produce-request';
import type { WriterHooks, WriterLimits } from './writer-limits';
import { fullJitter } from '../../runtime/waiting';

/** What a sender reports to its writer. */
export interface SenderHooks {
  /**
   * The batch is in the log from `baseOffset` on. `timestamp` is its time there, in Unix
   * milliseconds.
   */
  appended(queue: PartitionQueue, batch: Pending[], baseOffset: bigint, timestamp: number): void;
  /** The broker will never accept the record: too large. */
  refused(pending: Pending): void;
  /** The record cannot be written. */
  unencodable(pending: Pending, error: UnencodableRecord): void;
  /** No batch of this queue is out any more. */
  settled(queue: PartitionQueue): void;
}

/** What both lanes of a writer share. */
export interface LaneOptions extends WriterHooks {
  kafka: KafkaClient;
  topic: string;
  source: string;
  epoch: number;
  limits: WriterLimits;
  queues: PartitionQueue[];
  leaders: number[];
  clock: () => number;
  random?: () => number;
}

/** A record that cannot be written, and the queue it was in. */
interface SetAside {
  queue: PartitionQueue;
  pending: Pending;
  error: UnencodableRecord;
}

interface Sent {
  queue: PartitionQueue;
  batch: Pending[];
}

/** MESSAGE_TOO_LARGE and RECORD_LIST_TOO_LARGE: nothing was appended, and never will be. */
const TOO_LARGE = new Set([10, 18]);

/** Sends batches over one lane's connections and settles them by the leader's answer. */
export class BatchSender {
  readonly connections: LaneConnections;
  private readonly encoder: ProduceEncoder;

  constructor(
    private readonly options: LaneOptions,
    private readonly hooks: SenderHooks,
  ) {
    this.connections = new LaneConnections(
      options.kafka,
      options.topic,
      options.limits,
      options.leaders,
    );
    this.encoder = new ProduceEncoder(options.topic, options);
  }

  /**
   * Takes the next batch of each queue, up to the size of a request, and sends them to the node
   * that leads them. Never rejects: any outcome is settled per queue.
   */
  async send(nodeId: number, queues: PartitionQueue[]): Promise<void> {
    const sentAt = Date.now();
    const { sent, aside } = this.encode(queues, sentAt);
    const request = this.encoder.request();
    const bytes = this.encoder.size;
    for (const one of aside) this.setAside(one);
    if (sent.length === 0) return;
    const startedAt = this.options.clock();
    let answers: PartitionAnswer[];
    try {
      answers = await this.connections.append(nodeId, request);
    } catch (error) {
      this.connections.reset();
      const reason = error instanceof Error ? error.message : String(error);
      for (const one of sent) this.fail(one, !(error instanceof NotSentError), reason);
      return;
    }
    const appended = this.settle(sent, answers, sentAt);
    const latencyMs = this.options.clock() - startedAt;
    this.options.onBatch?.({ records: appended, bytes, partitions: sent.length, latencyMs });
  }

  /**
   * Sets a queue aside after a failed attempt. Each time the next attempt waits longer (full
   * jitter).
   */
  defer(queue: PartitionQueue): void {
    const { limits, clock, random = Math.random } = this.options;
    queue.failures++;
    queue.failedAt = clock();
    queue.aside = true;
    const backoff = { baseMs: limits.backoffBase, maxMs: limits.backoffMax };
    const wait = queue.failures === 1 ? 0 : fullJitter(backoff, queue.failures - 1, random);
    queue.retryAt = queue.failedAt + wait;
  }

  private encode(queues: PartitionQueue[], now: number): { sent: Sent[]; aside: SetAside[] } {
    const { limits } = this.options;
    const sent: Sent[] = [];
    const aside: SetAside[] = [];
    this.encoder.begin(limits.ackTimeout);
    for (const queue of queues) {
      if (sent.length > 0 && this.encoder.size > limits.requestBytes - limits.batchBytes) break;
      const batch = queue.takeBatch();
      if (this.add(queue, batch, now, aside)) sent.push({ queue, batch });
    }
    return { sent, aside };
  }

  /** Adds the writable records of a batch and removes the others; false: none is writable. */
  private add(queue: PartitionQueue, batch: Pending[], now: number, aside: SetAside[]): boolean {
    while (batch.length > 0) {
      try {
        this.encoder.add(queue.partition, batch, now);
        return true;
      } catch (error) {
        if (!(error instanceof UnencodableRecord)) throw error;
        aside.push({ queue, pending: queue.setAside(error.index), error });
      }
    }
    return false;
  }

  /** Called only once the others are encoded: the callbacks may use the writer. */
  private setAside({ queue, pending, error }: SetAside): void {
    this.hooks.unencodable(pending, error);
    if (queue.out === null) this.hooks.settled(queue);
  }

  /** Returns how many records were appended. */
  private settle(sent: Sent[], answers: PartitionAnswer[], sentAt: number): number {
    let appended = 0;
    for (const one of sent) {
      const answer = answers.find((a) => a.partition === one.queue.partition);
      if (answer?.errorCode === 0 && answer.baseOffset >= 0n) {
        appended += one.batch.length;
        this.succeed(one, answer, sentAt);
      } else if (answer && TOO_LARGE.has(answer.errorCode)) {
        this.refuse(one);
      } else {
        this.fail(one, true, answer ? `error ${answer.errorCode}` : 'missing in the answer');
      }
    }
    return appended;
  }

  private succeed({ queue, batch }: Sent, answer: PartitionAnswer, sentAt: number): void {
    if (queue.out !== batch) return;
    queue.appended(this.options.clock());
    const timestamp = answer.appendTime >= 0 ? answer.appendTime : sentAt;
    this.hooks.appended(queue, batch, answer.baseOffset, timestamp);
    this.hooks.settled(queue);
  }

  private refuse({ queue, batch }: Sent): void {
    if (queue.out !== batch) return;
    const refused = queue.tooLarge();
    if (refused) this.hooks.refused(refused);
    this.hooks.settled(queue);
  }

  private fail({ queue, batch }: Sent, unknown: boolean, reason: string): void {
    const { partition } = queue;
    this.options.onFailure?.({ partition, records: batch.length, unknown, reason });
    if (queue.out !== batch) return;
    queue.putBack(unknown);
    this.defer(queue);
    this.hooks.settled(queue);
  }
}
