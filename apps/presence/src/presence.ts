import { NestFactory } from '@nestjs/core';
import { PRESENCE_RPC } from '@tidings/common/rpc/calls';
import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { GatewayLease } from '@tidings/common/redis/lease';
import { Routes } from '@tidings/common/redis/routes';
import { DatabaseWatch } from '@tidings/common/runtime/database-watch';
import { InnerListener } from '@tidings/common/runtime/inner-listener';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { nestLogger } from '@tidings/common/runtime/logger';
import { Service, type ServiceOptions } from '@tidings/common/runtime/service';
import { answerCalls } from '@tidings/common/rpc/rpc-server';
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
  private listener: InnerListener | null = null;

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
  get url(): string {
    return this.listener?.url ?? '';
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
      { name: 'listener', start: () => this.listen(), stop: () => this.listener?.close() },
      {
        name: 'consumer',
        start: () => this.consume(),
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
    const service = new PresenceService(
      new Routes(redis),
      new GatewayLease(redis),
      this.repository,
      this.redisReturn,
      this.figures,
      logger,
    );
    const calls = answerCalls({
      table: PRESENCE_RPC,
      handlers: { 'presence.get': (input) => service.get(input) },
      nodeId: env.NODE_ID,
      secret: env.CLUSTER_SECRET,
      logger,
      metrics,
    });
    const at = { host: env.HOST, port: env.PORT };
    this.listener = await InnerListener.open(at, {
      health: { readiness, metrics },
      defects,
      calls,
    });
  }

  private async consume(): Promise<void> {
    const { strategy } = this;
    const logger = nestLogger(this.options.logger);
    const module = PresenceModule.around(this.tracker);
    const app = await NestFactory.createMicroservice(module, { strategy, logger });
    await app.listen();
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
