import type { NestExpressApplication } from '@nestjs/platform-express';
import { TidingsError } from '@tidings/protocol/errors';
import { STORAGE_RPC } from '@tidings/common/rpc/calls';
import { GROUPS, TOPICS, topicSpecs } from '@tidings/common/log-events/topics';
import { calmTrouble } from '@tidings/common/kafka/wire/calm-log';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import {
  LogConsumerStrategy,
  type LogConsumerOptions,
} from '@tidings/common/kafka/consumer/log-consumer';
import { checkTopics } from '@tidings/common/kafka/wire/topics';
import { Peers } from '@tidings/common/peers/peers';
import { createRedis, redisReady, type RedisClient } from '@tidings/common/redis/client';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { MemberCache } from '@tidings/common/redis/members';
import { RoutedMarks } from '@tidings/common/redis/routed-marks';
import { Routes } from '@tidings/common/redis/routes';
import { WindowCopies } from '@tidings/common/redis/window-copies';
import { containServer } from '@tidings/common/runtime/contained-server';
import { Defects } from '@tidings/common/runtime/defects';
import { CallWatch } from '@tidings/common/rpc/call-watch';
import type { Readiness } from '@tidings/common/runtime/health';
import type { Step } from '@tidings/common/runtime/lifecycle';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { RpcClient } from '@tidings/common/rpc/rpc-client';
import { setTimeout as delay } from 'node:timers/promises';
import { ReceiptRouter } from './receipts/receipt-router';
import { ReceiptSource } from './receipts/receipt-source';
import { ReceiptPushMetrics } from './receipts/receipt.metrics';
import { ConversationCopies } from './routing/conversation-copies';
import { ConversationSource } from './routing/conversation-source';
import { Deliveries } from './routing/deliveries';
import { Router, type LogState } from './routing/router';
import { RoutingMetrics } from './routing/routing.metrics';
import { RoutingTimes } from './routing/routing-times';
import { WindowKeeper } from './routing/window-keeper';
import { WindowOffsets } from './routing/window-offsets';
import type { SessionEnv } from './session.env';
import { TypingRouter } from './typing/typing-router';
import { TypingPushMetrics } from './typing/typing.metrics';

/** How long the start waits for Redis, in milliseconds. */
const REDIS_WITHIN_MS = 30_000;
/** Pause between attempts to learn the log's state from storage, in milliseconds. */
const LOG_STATE_PAUSE_MS = 300;
/**
 * How long a fetch may wait for a first record, in milliseconds; also how long a consumer sleeps while
 * the state of its partitions is loaded. An idle log is fetched less often: see paceFetches.
 */
const MAX_WAIT_MS = 50;
/**
 * Most bytes of one fetch and partition: small, so that what is read again after a rebalance does not
 * pile up on a young heap.
 */
const MAX_BYTES_PER_PARTITION = 256 * 1024;
/** How often the group hears of a member, ms, and so how soon a member hears of a rebalance. */
const HEARTBEAT_MS = 200;
const CONCURRENT_PARTITIONS = 8;
/** The same for typing: nobody waits for that fetch, but it comes with the first record. */
const TYPING_WAIT_MS = 500;

/** How long all else of a start waits for the partitions' windows, and how often it looks, milliseconds. */
const CAUGHT_UP_WITHIN_MS = 1_000;
const CAUGHT_UP_LOOK_MS = 10;

/** What a session process is made of; given by `main`, or by a test. */
export interface SessionOptions {
  env: SessionEnv;
  logger: Logger;
  metrics: Metrics;
  readiness: Readiness;
  /** Told of the steps of the start. */
  timeline?: Pick<StartTimeline, 'done'>;
  /** The consumer cannot go on: the process should end. */
  onFatal(error: Error): void;
}

/** The session service: its parts and the order in which they start. */
export class Session {
  private readonly kafka: KafkaClient;
  private readonly redis: RedisClient;
  private readonly calls: CallWatch;
  private readonly storage: RpcClient<typeof STORAGE_RPC>;
  private readonly peers: Peers;
  private readonly times: RoutingTimes;
  /** Null before the state of the log is known. */
  private keeper: WindowKeeper | null = null;
  private readonly defects: Defects;
  /** The group member; null before its step has begun. */
  private strategy: LogConsumerStrategy | null = null;
  /** The member of the receipts' group. */
  private receipts: LogConsumerStrategy | null = null;
  /** The member of the group of typing. */
  private typing: LogConsumerStrategy | null = null;
  private app: NestExpressApplication | null = null;
  /** Null before the others were reached. */
  private log: LogState | null = null;
  private stopping = false;
  private readonly ending = new AbortController();

  constructor(private readonly options: SessionOptions) {
    const { env, logger, readiness } = options;
    this.defects = new Defects(logger, options.metrics);
    this.kafka = createKafka({
      brokers: env.KAFKA_BROKERS,
      clientId: env.NODE_ID,
      log: (level, message, extra) => logger[level](extra, message),
    });
    this.redis = createRedis(env.REDIS_URL, { name: env.NODE_ID, log: logger });
    this.calls = new CallWatch(options.metrics, logger);
    this.storage = new RpcClient(STORAGE_RPC, {
      report: this.calls.of('storage'),
      urls: env.STORAGE_URLS,
      nodeId: env.NODE_ID,
      secret: env.CLUSTER_SECRET,
    });
    this.peers = new Peers({
      redis: this.redis,
      kafka: this.kafka,
      nodeId: env.NODE_ID,
      groups: [GROUPS.sessionRouting, GROUPS.sessionReceipts, GROUPS.sessionSignals],
      logger,
      metrics: options.metrics,
    });
    this.times = new RoutingTimes(new RoutedMarks(this.redis), Date.now, (error) =>
      logger.debug({ err: error }, 'times of routing were not kept'),
    );
    readiness.add('kafka', () => (this.strategy?.isReady() ? null : 'not joined yet'));
    readiness.add('receipts', () => (this.receipts?.isReady() ? null : 'not joined yet'));
    readiness.add('redis', () => (this.redis.status === 'ready' ? null : this.redis.status));
  }

  /** Port of the listener for health and metrics. */
  get port(): number {
    const address = this.app?.getHttpServer().address() as { port: number } | null | undefined;
    return address?.port ?? 0;
  }

  /**
   * The start order; stopping is its reverse. Messages come first, and neither the other groups nor the
   * listener (whose code is loaded then) take time from them: until then nobody is pushed anything.
   */
  steps(): Step[] {
    return [
      { name: 'redis', stop: () => this.redis.disconnect() },
      {
        name: 'storage',
        stop: () => {
          this.stopping = true;
          this.storage.close();
        },
      },
      { name: 'topics', stop: () => this.ending.abort() },
      { name: 'others', start: () => this.reachOthers() },
      {
        name: 'consumer',
        start: () => this.consume(),
        stop: () => this.leave(),
        stopWithinMs: 12_000,
      },
      {
        name: 'listener',
        start: () => this.listen(),
        stop: () => this.app?.close(),
      },
    ];
  }

  /** Redis, Kafka and storage side by side. The predecessor is let go as soon as Redis knows of it. */
  private async reachOthers(): Promise<void> {
    const { timeline } = this.options;
    const redis = async () => {
      this.peers.start();
      await redisReady(this.redis, REDIS_WITHIN_MS);
      timeline?.done('redis');
      void this.peers.leavePredecessor().then(() => timeline?.done('predecessor left'));
    };
    const [log] = await Promise.all([this.logState(), this.checkTopics(), redis()]);
    this.log = log;
  }

  private checkTopics(): Promise<void> {
    return checkTopics(this.kafka, this.topics(), { waitUntil: this.ending.signal });
  }

  private topics() {
    const { env } = this.options;
    const specs = topicSpecs({
      partitions: env.KAFKA_PARTITIONS,
      replication: env.KAFKA_REPLICATION,
      minInsyncReplicas: env.KAFKA_MIN_INSYNC,
    });
    const read: string[] = [TOPICS.messages, TOPICS.receipts, TOPICS.signals];
    return specs.filter(({ name }) => read.includes(name));
  }

  /** Joins the group of the messages; the others when these flow. */
  private async consume(): Promise<void> {
    if (!this.log) throw new Error('consuming starts behind the state of the log');
    const failed = (error: unknown): void => this.defects.note('record', error);
    const deliveries = new Deliveries(new Routes(this.redis), new InboxWriter(this.redis), failed);
    const { strategy, router } = this.routing(this.log, deliveries);
    this.strategy = strategy;
    this.receipts = this.receiptPushes(deliveries);
    this.typing = this.typingPushes(deliveries);
    await strategy.start();
    await this.caughtUp(() => strategy.isReady() && router.isCaughtUp());
    await Promise.all([this.receipts.start(), this.typing.start()]);
  }

  /** Waits for a moment until the windows of the partitions are filled. */
  private async caughtUp(isSo: () => boolean): Promise<void> {
    const end = performance.now() + CAUGHT_UP_WITHIN_MS;
    while (!isSo()) {
      if (performance.now() > end || this.stopping) return;
      await delay(CAUGHT_UP_LOOK_MS);
    }
    this.options.timeline?.done('caught up');
  }

  private async listen(): Promise<void> {
    const { env, logger, metrics, readiness } = this.options;
    const { openHealthListener } = await import('@tidings/common/runtime/health-listener.js');
    const at = { host: env.HOST, port: env.PORT, logger };
    this.app = await openHealthListener(at, { readiness, metrics, calls: this.calls });
    containServer(this.app.getHttpServer(), this.defects);
  }

  private routing(log: LogState, deliveries: Deliveries) {
    const { metrics, logger } = this.options;
    const figures = new RoutingMetrics(metrics);
    const strategy: LogConsumerStrategy = this.consumer({
      groupId: GROUPS.sessionRouting,
      handlers: { [TOPICS.messages]: { handle: (batch) => router.handle(batch) } },
      memberStore: this.peers.storeOf(GROUPS.sessionRouting),
      onJoined: () => this.options.timeline?.done('joined'),
      onBatch: () => this.options.timeline?.done('first batch'),
      lifecycle: {
        assigned: (_topic, partition, context) => router.assigned(partition, context),
        revoked: (_topic, partition) => router.revoked(partition),
      },
    });
    const copies = new ConversationCopies(new MemberCache(this.redis));
    const keeper = new WindowKeeper(new WindowCopies(this.redis), log.epoch, (error) =>
      logger.debug({ err: error }, 'windows were not copied'),
    );
    this.keeper = keeper;
    const router = new Router(log, {
      conversations: new ConversationSource(this.storage, copies, {
        asked: (conversations) => figures.askedStorage(conversations),
        failed: () => figures.askFailed(),
      }),
      deliveries,
      deadLetters: { put: (record, reason) => strategy.deadLetter(record, reason) },
      windows: new WindowOffsets(strategy.offsets, Date.now),
      keeper,
      times: this.times,
      defects: this.defects,
      metrics: figures,
      pushed: () => this.options.timeline?.done('first push'),
      logger,
    });
    return { strategy, router };
  }

  /** Pushes of watermarks. Missing ones are made up by syncs, so a hole stops nothing. */
  private receiptPushes(deliveries: Deliveries): LogConsumerStrategy {
    const { metrics, logger } = this.options;
    const figures = new ReceiptPushMetrics(metrics);
    const copies = new MemberCache(this.redis);
    const router = new ReceiptRouter({
      deliveries,
      logger,
      metrics: figures,
      defects: this.defects,
      source: new ReceiptSource(this.storage, copies, () => figures.askFailed()),
      deadLetter: (record, reason) => strategy.deadLetter(record, reason),
    });
    const strategy = this.consumer({
      groupId: GROUPS.sessionReceipts,
      memberStore: this.peers.storeOf(GROUPS.sessionReceipts),
      handlers: { [TOPICS.receipts]: router },
      onGap: 'skip',
    });
    return strategy;
  }

  /** Pushes of who writes: lossy, so nothing here is waited for, retried or made up. */
  private typingPushes(deliveries: Deliveries): LogConsumerStrategy {
    const { metrics, logger } = this.options;
    const figures = new TypingPushMetrics(metrics);
    const copies = new MemberCache(this.redis);
    return this.consumer({
      groupId: GROUPS.sessionSignals,
      memberStore: this.peers.storeOf(GROUPS.sessionSignals),
      handlers: {
        [TOPICS.signals]: new TypingRouter({
          copies,
          deliveries,
          logger,
          metrics: figures,
          now: Date.now,
          defects: this.defects,
        }),
      },
      onGap: 'skip',
      gapFound: () => figures.gap(),
      maxWaitTimeInMs: TYPING_WAIT_MS,
    });
  }

  private consumer(options: Omit<LogConsumerOptions, 'kafka'>): LogConsumerStrategy {
    const { logger, onFatal } = this.options;
    return new LogConsumerStrategy({
      kafka: this.kafka,
      minBytes: 1,
      maxWaitTimeInMs: MAX_WAIT_MS,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
      heartbeatInterval: HEARTBEAT_MS,
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      gapFound: ({ expected, found, ...gap }) =>
        logger.error(
          { ...gap, expected: String(expected), found: String(found) },
          'records are missing from the log: an operator has to decide',
        ),
      onError: calmTrouble(logger),
      onFatal,
      ...options,
    });
  }

  private async leave(): Promise<void> {
    await Promise.all([this.strategy?.close(), this.receipts?.close(), this.typing?.close()]);
    await Promise.all([this.times.flush(), this.keeper?.flush(), this.peers.stop()]);
  }

  /** The log's epoch and bases as storage has them; waits until storage answers. */
  private async logState(): Promise<LogState> {
    const { env, logger } = this.options;
    for (let attempt = 0; !this.stopping; attempt++) {
      try {
        const { epoch, bases } = await this.storage.call('log.state', {});
        if (bases.length !== env.KAFKA_PARTITIONS) {
          throw new Error(
            `storage knows ${bases.length} partitions, but KAFKA_PARTITIONS is ${env.KAFKA_PARTITIONS}`,
          );
        }
        return { epoch, bases: bases.map(BigInt) };
      } catch (error) {
        if (!(error instanceof TidingsError) || !error.retryable) throw error;
        if (attempt === 0) logger.info('waiting for storage');
        await delay(LOG_STATE_PAUSE_MS);
      }
    }
    throw new Error('stopped while waiting for storage');
  }
}
