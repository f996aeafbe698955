import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { PRESENCE_RPC } from '@tidings/common/rpc/calls';
import { GROUPS, TOPICS, topicSpecs } from '@tidings/common/log-events/topics';
import { calmTrouble } from '@tidings/common/kafka/wire/calm-log';
import { createKafka, type KafkaClient } from '@tidings/common/kafka/wire/client';
import { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { checkTopics } from '@tidings/common/kafka/wire/topics';
import { createRedis, redisReady, type RedisClient } from '@tidings/common/redis/client';
import { GatewayLease } from '@tidings/common/redis/lease';
import { Peers } from '@tidings/common/peers/peers';
import { Routes } from '@tidings/common/redis/routes';
import { containServer } from '@tidings/common/runtime/contained-server';
import { Defects } from '@tidings/common/runtime/defects';
import { mountHealth, type Readiness } from '@tidings/common/runtime/health';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { nestLogger, type Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import { mountRpc } from '@tidings/common/rpc/rpc-server';
import type { DataSource } from 'typeorm';
import { migrate, presenceDataSource } from './data-source';
import { DatabaseWatch } from './database-watch';
import { LastSeenRepository } from './last-seen.repository';
import type { PresenceEnv } from './presence.env';
import { PresenceMetrics } from './presence.metrics';
import { PresenceModule } from './presence.module';
import { PresenceService } from './presence.service';
import { RedisReturn } from './redis-return';
import { Tracker } from './tracker';

/** How long the start waits for Redis, in milliseconds. */
const REDIS_WITHIN_MS = 30_000;
/** Fetches may wait for more records: a last-seen time is in no hurry. Milliseconds and bytes. */
const MAX_WAIT_MS = 100;
const MIN_BYTES = 64 * 1024;

/** What a presence process is made of; given by `main`, or by a test. */
export interface PresenceOptions {
  env: PresenceEnv;
  logger: Logger;
  metrics: Metrics;
  readiness: Readiness;
  /** The consumer cannot go on: the process should end. */
  onFatal(error: Error): void;
}

/** The presence service: its parts and the order in which they start. */
export class Presence {
  private readonly kafka: KafkaClient;
  private readonly redis: RedisClient;
  private readonly redisReturn: RedisReturn;
  private readonly database: DataSource;
  private readonly repository: LastSeenRepository;
  private readonly watch: DatabaseWatch;
  private readonly peers: Peers;
  private readonly figures: PresenceMetrics;
  private readonly strategy: LogConsumerStrategy;
  private readonly tracker: Tracker;
  private readonly defects: Defects;
  private app: NestExpressApplication | null = null;
  private readonly ending = new AbortController();

  constructor(private readonly options: PresenceOptions) {
    const { env, logger, metrics, readiness } = options;
    this.kafka = createKafka({
      brokers: env.KAFKA_BROKERS,
      clientId: env.NODE_ID,
      log: (level, message, extra) => logger[level](extra, message),
    });
    this.redis = createRedis(env.REDIS_URL, { name: env.NODE_ID, log: logger });
    this.redisReturn = new RedisReturn(this.redis, () => performance.now());
    this.database = presenceDataSource({
      url: env.DATABASE_URL,
      name: env.NODE_ID,
      connections: env.DATABASE_POOL,
    });
    this.repository = new LastSeenRepository(this.database);
    this.watch = new DatabaseWatch(this.repository);
    this.peers = new Peers({
      redis: this.redis,
      kafka: this.kafka,
      nodeId: env.NODE_ID,
      groups: [GROUPS.presenceTracker],
      logger,
      metrics,
    });
    const defects = new Defects(logger, metrics);
    this.defects = defects;
    this.figures = new PresenceMetrics(metrics);
    this.strategy = this.consumer();
    this.tracker = new Tracker({
      repository: this.repository,
      deadLetters: { put: (record, reason) => this.strategy.deadLetter(record, reason) },
      metrics: this.figures,
      defects,
      logger,
      now: Date.now,
    });
    readiness.add('kafka', () => (this.strategy.isReady() ? null : 'not joined yet'));
    readiness.add('redis', () => (this.redis.status === 'ready' ? null : this.redis.status));
    readiness.add('database', () => this.watch.problem());
  }

  /** Address of the listener. */
  async url(): Promise<string> {
    return (await this.app?.getUrl()) ?? '';
  }

  /** The start order; stopping is its reverse. */
  steps(): Step[] {
    return [
      {
        name: 'redis',
        start: () => this.reachRedis(),
        stop: () => this.redis.disconnect(),
      },
      {
        name: 'database',
        start: () => this.openDatabase(),
        stop: () => (this.database.isInitialized ? this.database.destroy() : undefined),
      },
      { name: 'watch', start: () => this.watch.start(), stop: () => this.watch.stop() },
      { name: 'topics', start: () => this.checkTopics(), stop: () => this.ending.abort() },
      { name: 'listener', start: () => this.listen(), stop: () => this.app?.close() },
      {
        name: 'consumer',
        start: () => this.app?.startAllMicroservices().then(() => undefined),
        stop: () => this.leave(),
        stopWithinMs: 12_000,
      },
    ];
  }

  private async reachRedis(): Promise<void> {
    this.peers.start();
    await redisReady(this.redis, REDIS_WITHIN_MS);
    void this.peers.leavePredecessor();
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
    return specs.filter((spec) => spec.name === TOPICS.presence);
  }

  private async openDatabase(): Promise<void> {
    await this.watch.opened(() => this.database.initialize());
    await migrate(this.database);
  }

  private async listen(): Promise<void> {
    const { env, logger, metrics, readiness } = this.options;
    const app = await NestFactory.create<NestExpressApplication>(
      PresenceModule.around(this.tracker),
      { logger: nestLogger(logger), bodyParser: false },
    );
    this.app = app;
    mountHealth(app, { readiness, metrics });
    const service = new PresenceService(
      new Routes(this.redis),
      new GatewayLease(this.redis),
      this.repository,
      this.redisReturn,
      this.figures,
      logger,
    );
    mountRpc(app, {
      table: PRESENCE_RPC,
      handlers: { 'presence.get': (input) => service.get(input) },
      nodeId: env.NODE_ID,
      secret: env.CLUSTER_SECRET,
      logger,
      metrics,
    });
    app.connectMicroservice({ strategy: this.strategy });
    await app.listen(env.PORT, env.HOST);
    containServer(app.getHttpServer(), this.defects);
  }

  private consumer(): LogConsumerStrategy {
    const { logger, onFatal } = this.options;
    return new LogConsumerStrategy({
      kafka: this.kafka,
      groupId: GROUPS.presenceTracker,
      lifecycle: { revoked: (_topic, partition) => this.tracker.revoked(partition) },
      memberStore: this.peers.storeOf(GROUPS.presenceTracker),
      onGap: 'skip',
      minBytes: MIN_BYTES,
      maxWaitTimeInMs: MAX_WAIT_MS,
      gapFound: ({ expected, found, ...gap }) =>
        logger.warn(
          { ...gap, expected: String(expected), found: String(found) },
          'connection events are missing from the log',
        ),
      onError: calmTrouble(logger),
      onFatal,
    });
  }

  private async leave(): Promise<void> {
    await this.strategy.close();
    await this.peers.stop();
  }
}
