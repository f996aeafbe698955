import type { KafkaClient } from '../wire/client';
import {
  destroyCluster,
  openCluster,
  type KafkaCluster,
  type ProtocolRequest,
} from '../wire/kafkajs-internals';
import type { PartitionAnswer } from '../wire/produce-request';

/** Times of the writer's requests, in milliseconds. */
export interface AppendTimes {
  /** How long a leader may wait for its replicas. */
  ackTimeout: number;
  /** How long an answer may take in total. */
  requestTimeout: number;
}

/** The request was certainly not sent: its records need no mark. */
export class NotSentError extends Error {
  constructor(cause: unknown) {
    super(`not sent: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'NotSentError';
  }
}

/** Slack over the request timeout, which kafkajs checks every 100 ms while a connection stands. */
const GUARD_MS = 300;

/**
 * The connections of one lane of a producer, and the leaders of one topic. After any doubt the
 * connections are replaced, not repaired: kafkajs' clusters get stuck in states that only a new one
 * leaves.
 */
export class LaneConnections {
  private cluster: KafkaCluster | null = null;
  private opening: Promise<KafkaCluster> | null = null;
  private closed = false;

  constructor(
    private readonly kafka: KafkaClient,
    private readonly topic: string,
    private readonly times: AppendTimes,
    /** Leader per partition, -1 for none; shared by the lanes of a writer. */
    private readonly leaders: number[],
  ) {}

  /** Connects and loads the leaders. Does nothing if that is done. */
  async open(): Promise<void> {
    await this.connected();
  }

  /** How many partitions the topic has, as far as known; 0 before {@link open}. */
  get partitions(): number {
    return this.leaders.length;
  }

  /** Node that leads the partition; null: unknown. */
  leaderOf(partition: number): number | null {
    const leader = this.leaders[partition];
    return leader == null || leader < 0 ? null : leader;
  }

  /** Asks the brokers for the current leaders. Rejects when none answers. */
  async refresh(): Promise<void> {
    const fresh = this.cluster === null;
    const cluster = await this.connected();
    if (!fresh) await this.guarded(cluster.refreshMetadata());
    this.readLeaders(cluster);
  }

  /**
   * Sends one produce request to a node. Rejects with {@link NotSentError} when it was certainly
   * not sent. After any other rejection the records may or may not have been appended.
   */
  async append(
    nodeId: number,
    request: ProtocolRequest<PartitionAnswer[]>,
  ): Promise<PartitionAnswer[]> {
    let pool;
    try {
      const cluster = await this.connected();
      pool = (await this.guarded(cluster.findBroker({ nodeId }))).connectionPool;
    } catch (error) {
      throw new NotSentError(error);
    }
    return this.guarded(pool.send(request));
  }

  /**
   * Drops all connections; the next use opens new ones. Requests in flight may still be answered.
   */
  reset(): void {
    const old = this.cluster;
    this.cluster = null;
    this.opening = null;
    if (!old) return;
    if (this.closed) destroyCluster(old);
    else setTimeout(() => destroyCluster(old), this.times.requestTimeout + GUARD_MS).unref();
  }

  /** Closes them; nothing can be sent any more. */
  close(): void {
    this.closed = true;
    this.reset();
  }

  private connected(): Promise<KafkaCluster> {
    if (this.closed) return Promise.reject(new Error('closed'));
    if (this.cluster) return Promise.resolve(this.cluster);
    if (!this.opening) {
      const opening = this.connect().finally(() => {
        if (this.opening === opening) this.opening = null;
      });
      this.opening = opening;
    }
    return this.opening;
  }

  private async connect(): Promise<KafkaCluster> {
    const cluster = openCluster(
      this.kafka.instance({ requestTimeout: this.times.requestTimeout, retries: 0 }),
    );
    try {
      await this.guarded(cluster.connect());
      await this.guarded(cluster.addMultipleTargetTopics([this.topic]));
      if (this.closed) throw new Error('closed');
      this.readLeaders(cluster);
      this.cluster = cluster;
      return cluster;
    } catch (error) {
      destroyCluster(cluster);
      throw error;
    }
  }

  private readLeaders(cluster: KafkaCluster): void {
    for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(this.topic)) {
      this.leaders[partitionId] = leader;
    }
  }

  /** Settles in any case; a request on a connection that kafkajs has abandoned never would. */
  private async guarded<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error('no answer in time')),
        this.times.requestTimeout + GUARD_MS,
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
