import type { Consumer, ConsumerCrashEvent, EachBatchPayload, Offsets } from '../wire/client';
import type { PartitionControl } from './assignments';
import { leaveGroup } from './leave-predecessor';
import type { LogConsumerOptions } from './log-consumer-options';
import { pause } from '../../runtime/waiting';

/** What a group member reports to its strategy. */
export interface MemberEvents {
  /** Called before anything can be fetched under the new assignment. */
  joined(assigned: Record<string, number[]>, memberId: string): void;
  /** The assignment is about to end; what is committed at once still counts. */
  rebalancing(): void;
  /** The member has left the group; another join may follow. */
  lost(): void;
  outOfRange(topic: string, partition: number): void;
  /** Never rejects. */
  batch(payload: EachBatchPayload): Promise<void>;
  reportError(error: unknown, what: string): void;
}

const SESSION_TIMEOUT_MS = 6_000;
const HEARTBEAT_INTERVAL_MS = 500;
/** How long a rebalance waits for members that are still running a batch. */
const REBALANCE_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 4_000;
const MAX_WAIT_MS = 200;
const CONCURRENT_PARTITIONS = 4;
const MIB = 1024 * 1024;
/** After this long without any sign of life the consumer is replaced: kafkajs can hang for good. */
const SILENCE_MS = 30_000;
const STOP_GRACE_MS = 5_000;
const START_PAUSE_MS = 250;
const MAX_START_PAUSE_MS = 1_000;

/** Transient errors that kafkajs does not mark as such. */
const PASSING = new Set([
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSTimeout',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSNumberOfRetriesExceeded',
]);

/**
 * Membership of one process in a group. Owns the kafkajs consumer, replaces it when it has crashed
 * for a transient reason or fallen silent, and reports when it cannot go on.
 */
export class GroupMember implements PartitionControl {
  private consumer: Consumer | null = null;
  private topics: string[] = [];
  private stopped = false;
  private joined = false;
  private replacing = false;
  /** The replacement crashed before it was ready: it needs one itself. */
  private replaceAgain = false;
  /** The id with which the newest consumer joined: the group may still wait for it. */
  private memberId: string | null = null;
  private heardAt = -Infinity;
  private aliveAt = 0;
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: LogConsumerOptions,
    private readonly events: MemberEvents,
  ) {}

  /** Connects and joins; retries until it succeeds or the member is stopped. */
  async start(topics: string[]): Promise<void> {
    this.topics = topics;
    this.aliveAt = performance.now();
    this.watchdog = setInterval(() => this.watch(), SILENCE_MS / 10);
    this.watchdog.unref();
    await this.begin();
  }

  /** From now on crashes are not repaired any more. */
  closing(): void {
    this.stopped = true;
    clearInterval(this.watchdog);
  }

  /** Leaves the group and disconnects, within a bounded time. */
  async stop(): Promise<void> {
    this.closing();
    await this.drop();
  }

  isJoined(): boolean {
    return this.joined;
  }

  /** Whether the group's coordinator has answered within the last `ms` milliseconds. */
  heardWithin(ms: number): boolean {
    return this.joined && performance.now() - this.heardAt <= ms;
  }

  pause(topic: string, partition: number): void {
    this.steer((consumer) => consumer.pause([{ topic, partitions: [partition] }]));
  }

  resume(topic: string, partition: number): void {
    this.steer((consumer) => consumer.resume([{ topic, partitions: [partition] }]));
  }

  seek(topic: string, partition: number, offset: bigint): void {
    this.steer((consumer) => consumer.seek({ topic, partition, offset: String(offset) }));
  }

  /** Commits offsets of the current group generation; rejects when the coordinator refuses. */
  async commit({ topics }: Offsets): Promise<void> {
    const all = topics.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, ...partition })),
    );
    await this.consumer?.commitOffsets(all);
  }

  /**
   * Between a crash and the next join there is nothing to control: the join starts from scratch.
   */
  private steer(action: (consumer: Consumer) => void): void {
    try {
      if (this.consumer) action(this.consumer);
    } catch (error) {
      if (this.joined) this.events.reportError(error, 'steering the consumer');
    }
  }

  private async begin(): Promise<void> {
    let pauseMs = START_PAUSE_MS;
    while (!this.stopped) {
      const consumer = this.create();
      this.consumer = consumer;
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: this.topics, fromBeginning: true });
        await this.leaveBehind();
        if (this.stopped) return await this.drop();
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently:
            this.options.partitionsConsumedConcurrently ?? CONCURRENT_PARTITIONS,
          eachBatch: async (payload) => {
            if (this.consumer === consumer) await this.events.batch(payload);
          },
        });
        return;
      } catch (error) {
        this.events.reportError(error, 'joining the group');
        // replaced meanwhile: the current one is not ours to drop
        if (this.consumer !== consumer) return;
        await this.drop();
      }
      await pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, MAX_START_PAUSE_MS);
    }
  }

  /**
   * The member that crashed before, so that the rebalance does not wait for it. A consumer of
   * kafkajs cannot take over the id of another one.
   */
  private async leaveBehind(): Promise<void> {
    const { memberId } = this;
    if (memberId === null) return;
    await leaveGroup(this.options.kafka, this.options.groupId, memberId);
    if (this.memberId === memberId) this.memberId = null;
  }

  private create(): Consumer {
    const { kafka, groupId } = this.options;
    const instance = kafka.instance({
      requestTimeout: REQUEST_TIMEOUT_MS,
      onOutOfRange: (topic, partition) => this.events.outOfRange(topic, partition),
    });
    const consumer = instance.consumer({
      groupId,
      sessionTimeout: this.options.sessionTimeout ?? SESSION_TIMEOUT_MS,
      heartbeatInterval: this.options.heartbeatInterval ?? HEARTBEAT_INTERVAL_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      maxWaitTimeInMs: this.options.maxWaitTimeInMs ?? MAX_WAIT_MS,
      minBytes: this.options.minBytes ?? 1,
      maxBytes: this.options.maxBytes ?? 10 * MIB,
      maxBytesPerPartition: this.options.maxBytesPerPartition ?? MIB,
      allowAutoTopicCreation: false,
      retry: {
        retries: 3,
        initialRetryTime: 100,
        maxRetryTime: 1_000,
        // its restart would forget the member id that the group still waits for: see replace()
        restartOnFailure: () => Promise.resolve(false),
      },
    });
    this.listen(consumer);
    return consumer;
  }

  private listen(consumer: Consumer): void {
    const { events } = consumer;
    const current = <E>(react: (event: E) => void) => {
      return (event: E) => {
        if (this.consumer !== consumer) return;
        this.aliveAt = performance.now();
        react(event);
      };
    };
    consumer.on(
      events.GROUP_JOIN,
      current(({ payload }) => {
        this.joined = true;
        this.memberId = payload.memberId;
        this.heardAt = performance.now();
        this.events.joined(payload.memberAssignment, payload.memberId);
      }),
    );
    consumer.on(
      events.HEARTBEAT,
      current(() => (this.heardAt = performance.now())),
    );
    consumer.on(
      events.FETCH_START,
      current(() => undefined),
    );
    consumer.on(
      events.REBALANCING,
      current(() => this.events.rebalancing()),
    );
    consumer.on(
      events.CRASH,
      current((event) => this.crashed(event)),
    );
  }

  private crashed({ payload: { error } }: ConsumerCrashEvent): void {
    this.joined = false;
    this.events.lost();
    if (this.stopped) return;
    this.events.reportError(error, 'consuming');
    if (causes(error).some(passes)) void this.replace();
    else this.options.onFatal?.(error);
  }

  private watch(): void {
    if (performance.now() - this.aliveAt < SILENCE_MS || this.replacing) return;
    this.events.reportError(new Error(`no sign of life for ${SILENCE_MS} ms`), 'consuming');
    void this.replace();
  }

  private async replace(): Promise<void> {
    this.replaceAgain = this.replacing;
    if (this.replacing || this.stopped) return;
    this.replacing = true;
    try {
      do {
        this.replaceAgain = false;
        this.joined = false;
        this.events.lost();
        await this.drop();
        await this.begin();
      } while (this.replaceAgain && !this.stopped);
    } finally {
      this.aliveAt = performance.now();
      this.replacing = false;
    }
  }

  private async drop(): Promise<void> {
    const consumer = this.consumer;
    if (!consumer) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_GRACE_MS)));
    await Promise.race([consumer.disconnect().catch(() => undefined), late]);
    clearTimeout(timer);
    if (this.consumer === consumer) this.consumer = null;
    this.joined = false;
  }
}

function passes(error: Error): boolean {
  return PASSING.has(error.name) || (error as { retriable?: boolean }).retriable === true;
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let one = error; one instanceof Error && chain.length < 10; one = one.cause) chain.push(one);
  return chain;
}
