import type { KafkaClient } from '../wire/client';
import {
  destroyCluster,
  openCluster,
  OFFSET_OUT_OF_RANGE,
  tolerateMissingOffsets,
  type KafkaCluster,
} from '../wire/kafkajs-internals';
import { decodeRecord, type LogRecord } from '../../log-events/record';
import { pause } from '../../runtime/waiting';

/** First offset of a partition and the offset after its last record. */
export interface PartitionBounds {
  low: bigint;
  high: bigint;
}

/** What one answer holds of a partition, from an offset on. */
export interface LogPart extends PartitionBounds {
  /** Never empty, unless the offset is that of the log's end. */
  records: LogRecord[];
  /** Where to read on. */
  next: bigint;
}

/** How much one answer may hold, and how long the broker may wait for a record, milliseconds. */
export interface ReadLimits {
  maxBytes?: number;
  waitMs?: number;
}

/** The offsets could not be looked up in time. */
class OffsetsUnavailableError extends Error {
  constructor(topic: string, cause?: unknown) {
    super(`offsets of ${topic} are not available`, { cause });
    this.name = 'OffsetsUnavailableError';
  }
}

/** A fetch by a client that sees only committed records. */
const CLIENT = { replicaId: -1, isolationLevel: 1 } as const;
const EARLIEST = -2;
const LATEST = -1;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Of one answer, unless told otherwise. */
const READ_BYTES = 1024 * 1024;
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 500;

/**
 * Looks up offsets over one connection per broker that stays open. Retries transient failures (a
 * leader election, a lost connection) within the given time, then throws {@link
 * OffsetsUnavailableError}.
 */
export class LogOffsets {
  private cluster: KafkaCluster | null = null;
  private opening: Promise<KafkaCluster> | null = null;
  private readonly topics = new Set<string>();
  private closed = false;

  constructor(
    private readonly kafka: KafkaClient,
    private readonly options: { requestTimeout?: number } = {},
  ) {}

  /** Connects in advance, so that the first look-up is quick. */
  async open(topic: string): Promise<void> {
    await this.ready(topic);
  }

  close(): void {
    this.closed = true;
    this.reset();
  }

  /** Bounds of every partition of a topic. */
  async logBounds(topic: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<PartitionBounds[]> {
    const [low, high] = await Promise.all([
      this.complete(topic, EARLIEST, timeoutMs),
      this.complete(topic, LATEST, timeoutMs),
    ]);
    return low.map((offset, partition) => ({ low: offset, high: high[partition]! }));
  }

  /**
   * Per partition the first offset whose record time is at or after `unixMs`; the end of the log
   * when there is none.
   */
  async offsetsAtTime(
    topic: string,
    unixMs: number,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<bigint[]> {
    // The end first: records that arrive between the two look-ups must not be left out.
    const high = await this.complete(topic, LATEST, timeoutMs);
    const found = await this.complete(topic, unixMs, timeoutMs);
    return found.map((offset, partition) => (offset < 0n ? high[partition]! : offset));
  }

  /**
   * Offset after the last record, per partition; null for those that did not answer in time. Throws
   * when none did.
   */
  async highWatermarks(topic: string, timeoutMs: number): Promise<(bigint | null)[]> {
    return this.list(topic, LATEST, timeoutMs);
  }

  /** A group's committed offset per partition; null where it has none. */
  async fetchGroupOffsets(
    groupId: string,
    topic: string,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<(bigint | null)[]> {
    return this.retrying(topic, timeoutMs, async (cluster) => {
      const count = cluster.findTopicPartitionMetadata(topic).length;
      const partitions = Array.from({ length: count }, (_, partition) => ({ partition }));
      const coordinator = await cluster.findGroupCoordinator({ groupId });
      const answer = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions }] });
      const result: (bigint | null)[] = Array.from({ length: count }, () => null);
      for (const { partition, offset } of answer.responses.flatMap((t) => t.partitions)) {
        const value = BigInt(offset ?? -1);
        result[partition] = value < 0n ? null : value;
      }
      return result;
    });
  }

  /**
   * The time of a record in the log, in Unix milliseconds; null when this offset has none (any
   * more). Reads the batch around it: do not use it for every message.
   */
  async recordTime(
    topic: string,
    partition: number,
    offset: bigint,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<number | null> {
    // Kafka answers with the first batch, however large it is.
    const limits = { maxBytes: 1, waitMs: 0 };
    const part = await this.read(topic, partition, offset, limits, timeoutMs);
    return part?.records.find((record) => record.offset === offset)?.timestamp ?? null;
  }

  /**
   * Reads a partition from an offset on, without a consumer group; null when the offset lies outside
   * the log. A tool's or a watch's way, not that of a consumer.
   */
  read(
    topic: string,
    partition: number,
    offset: bigint,
    { maxBytes = READ_BYTES, waitMs = 0 }: ReadLimits = {},
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<LogPart | null> {
    return this.retrying(topic, timeoutMs, async (cluster, first) => {
      if (!first) await cluster.refreshMetadata();
      const metadata = cluster.findTopicPartitionMetadata(topic);
      const nodeId = metadata.find((p) => p.partitionId === partition)?.leader ?? -1;
      if (nodeId < 0) throw new OffsetsUnavailableError(topic);
      const broker = await cluster.findBroker({ nodeId });
      const one = { partition, fetchOffset: String(offset), maxBytes };
      const topics = [{ topic, partitions: [one] }];
      try {
        const limits = { maxWaitTime: waitMs, minBytes: 1, maxBytes };
        const { responses } = await broker.fetch({ ...CLIENT, ...limits, topics });
        const [found] = responses.flatMap(({ partitions }) => partitions);
        if (!found) throw new OffsetsUnavailableError(topic);
        // a batch is answered as a whole
        const records = found.messages
          .map((message) => decodeRecord(topic, partition, message))
          .filter((record) => record.offset >= offset);
        const last = records.at(-1);
        return {
          records,
          next: last ? last.offset + 1n : offset,
          low: BigInt(found.lastStartOffset ?? 0),
          high: BigInt(found.highWatermark),
        };
      } catch (error) {
        if ((error as { code?: unknown }).code === OFFSET_OUT_OF_RANGE) return null;
        throw error;
      }
    });
  }

  private async complete(topic: string, timestamp: number, timeoutMs: number): Promise<bigint[]> {
    const offsets = await this.list(topic, timestamp, timeoutMs);
    return offsets.map((offset) => {
      if (offset === null) throw new OffsetsUnavailableError(topic);
      return offset;
    });
  }

  /** One ListOffsets request per leader; repeated for partitions that are still missing. */
  private async list(
    topic: string,
    timestamp: number,
    timeoutMs: number,
  ): Promise<(bigint | null)[]> {
    let result: (bigint | null)[] = [];
    try {
      await this.retrying(topic, timeoutMs, async (cluster, first) => {
        if (!first) await cluster.refreshMetadata();
        const count = cluster.findTopicPartitionMetadata(topic).length;
        if (result.length !== count) result = Array.from({ length: count }, () => null);
        await this.fill(cluster, topic, timestamp, result);
        if (count === 0 || result.includes(null)) throw new OffsetsUnavailableError(topic);
      });
    } catch (error) {
      if (result.every((offset) => offset === null)) throw error;
    }
    return result;
  }

  private async fill(
    cluster: KafkaCluster,
    topic: string,
    timestamp: number,
    result: (bigint | null)[],
  ): Promise<void> {
    const byNode = new Map<number, { partition: number; timestamp: number }[]>();
    for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(topic)) {
      if (leader < 0 || result[partitionId] !== null) continue;
      const entry = { partition: partitionId, timestamp };
      const group = byNode.get(leader);
      if (group) group.push(entry);
      else byNode.set(leader, [entry]);
    }
    const outcomes = await Promise.allSettled(
      [...byNode].map(async ([nodeId, partitions]) => {
        const broker = await cluster.findBroker({ nodeId });
        const answer = await broker.listOffsets({ topics: [{ topic, partitions }] });
        for (const { partition, offset } of answer.responses.flatMap((t) => t.partitions)) {
          if (offset !== null) result[partition] = BigInt(offset);
        }
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private async retrying<T>(
    topic: string,
    timeoutMs: number,
    work: (cluster: KafkaCluster, first: boolean) => Promise<T>,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (let first = true, waitMs = FIRST_PAUSE_MS; ; first = false) {
      try {
        const attempt = this.ready(topic).then((cluster) => work(cluster, first));
        return await within(attempt, deadline - performance.now(), topic);
      } catch (error) {
        if (!(error instanceof OffsetsUnavailableError)) this.reset();
        if (this.closed || performance.now() + waitMs >= deadline) {
          throw error instanceof OffsetsUnavailableError
            ? error
            : new OffsetsUnavailableError(topic, error);
        }
      }
      await pause(waitMs);
      waitMs = Math.min(waitMs * 2, MAX_PAUSE_MS);
    }
  }

  private async ready(topic: string): Promise<KafkaCluster> {
    if (this.closed) throw new OffsetsUnavailableError(topic, new Error('closed'));
    let cluster = this.cluster;
    if (!cluster) {
      this.opening ??= this.connect();
      cluster = await this.opening;
    }
    if (!this.topics.has(topic)) {
      await cluster.addMultipleTargetTopics([topic]);
      if (this.cluster === cluster) this.topics.add(topic);
    }
    return cluster;
  }

  private async connect(): Promise<KafkaCluster> {
    const kafka = this.kafka.instance({
      requestTimeout: this.options.requestTimeout ?? 2_000,
      retries: 0,
    });
    const cluster = openCluster(kafka);
    tolerateMissingOffsets(cluster);
    try {
      await cluster.connect();
      this.cluster = cluster;
      return cluster;
    } catch (error) {
      destroyCluster(cluster);
      throw error;
    } finally {
      this.opening = null;
    }
  }

  private reset(): void {
    const old = this.cluster;
    this.cluster = null;
    this.topics.clear();
    if (old) destroyCluster(old);
  }
}

/** Rejects when `work` takes longer than `ms`; its late result is dropped. */
async function within<T>(work: Promise<T>, ms: number, topic: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer about ${topic} in time`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
