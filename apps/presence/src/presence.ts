import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { PRESENCE_RPC } from '@tidings/common/rpc/calls';
import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { GatewayLease } from '@tidings/common/redis/lease';
import { Routes } from '@tidings/common/redis/routes';
import { containServer } from '@tidings/common/runtime/contained-server';
import { DatabaseWatch } from '@tidings/common/runtime/database-watch';
import { mountHealth } from '@tidings/common/runtime/health';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { nestLogger } from '@tidings/common/runtime/logger';
import { Service, type ServiceOptions } from '@tidings/common/runtime/service';
import { mountRpc } from '@tidings/common/rpc/rpc-server';
import type { DataSource } from 'typeorm';
import { migrate, opened, presenceDataSource } from './data-source';
import { LastSeenRepository } from './last-seen.repository';
import type { PresenceEnv } from './presence.env';
import { PresenceMetrics } from './presence.metrics';
import { PresenceModule } from './presence.module';
import { PresenceService } from './presence.service';
import { RedisReturn } from './redis-return';
import { Tracker } from './tracker';

/** Fetches may wait for more records: a last-seen time is in no hurry. Milliseconds and bytes. */
const MAX_WAIT_MS = 100;
const MIN_BYTES = 64 * 1024;

const READS = { groups: [GROUPS.presenceTracker], topics: [TOPICS.presence] };

/** The presence service: its parts and the order in which they start. */
export class Presence {
  private readonly service: Service;
  private readonly redisReturn: RedisReturn;
  private readonly database: DataSource;
  private readonly repository: LastSeenRepository;
  private readonly watch: DatabaseWatch;
  private readonly figures: PresenceMetrics;
  private readonly strategy: LogConsumerStrategy;
  private readonly tracker: Tracker;
  private app: NestExpressApplication | null = null;

  constructor(private readonly options: ServiceOptions<PresenceEnv>) {
    const { env, logger, metrics, readiness } = options;
    this.service = new Service(options, READS);
    const { redis, defects } = this.service;
    this.redisReturn = new RedisReturn(redis, () => performance.now());
    this.database = presenceDataSource({
      url: env.DATABASE_URL,
      name: env.NODE_ID,
      connections: env.DATABASE_POOL,
    });
    this.repository = new LastSeenRepository(this.database);
    this.watch = new DatabaseWatch(() => this.repository.ping(), logger);
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
    readiness.add('redis', () => this.service.redisProblem());
    readiness.add('database', () => this.watch.problem());
  }

  /** Address of the listener. */
  async url(): Promise<string> {
    return (await this.app?.getUrl()) ?? '';
  }

  /** The start order; stopping is its reverse. */
  steps(): Step[] {
    const { service } = this;
    return [
      {
        name: 'redis',
        start: () => service.reachRedis(),
        stop: () => service.redis.disconnect(),
      },
      {
        name: 'database',
        start: () => this.openDatabase(),
        stop: () => (this.database.isInitialized ? this.database.destroy() : undefined),
      },
      { name: 'watch', start: () => this.watch.start(), stop: () => this.watch.stop() },
      { name: 'topics', start: () => service.checkTopics(), stop: () => service.stopWaiting() },
      { name: 'listener', start: () => this.listen(), stop: () => this.app?.close() },
      {
        name: 'consumer',
        start: () => this.app?.startAllMicroservices().then(() => undefined),
        stop: () => this.leave(),
        stopWithinMs: 12_000,
      },
    ];
  }

  private async openDatabase(): Promise<void> {
    await opened(this.database);
    await migrate(this.database);
  }

  private async listen(): Promise<void> {
    const { env, logger, metrics, readiness } = this.options;
    const { redis, defects } = this.service;
    const app = await NestFactory.create<NestExpressApplication>(
      PresenceModule.around(this.tracker),
      { logger: nestLogger(logger), bodyParser: false },
    );
    this.app = app;
    mountHealth(app, { readiness, metrics });
    const service = new PresenceService(
      new Routes(redis),
      new GatewayLease(redis),
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
    containServer(app.getHttpServer(), defects);
  }

  private consumer(): LogConsumerStrategy {
    return this.service.consumer({
      groupId: GROUPS.presenceTracker,
      lifecycle: { revoked: (_topic, partition) => this.tracker.revoked(partition) },
      onGap: 'skip',
      minBytes: MIN_BYTES,
      maxWaitTimeInMs: MAX_WAIT_MS,
      says: { gap: 'connection events are missing from the log' },
    });
  }

  private async leave(): Promise<void> {
    await this.strategy.close();
    await this.service.leavePeers();
  }
}
