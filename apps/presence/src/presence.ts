import { NestFactory } from '@nestjs/core';
import { PRESENCE_RPC } from '@tidings/common/rpc/calls';
import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { redisRunId } from '@tidings/common/redis/client';
import { Boots } from '@tidings/common/redis/boots';
import { GatewayLease } from '@tidings/common/redis/lease';
import { PresencePartitions } from '@tidings/common/redis/presence-partitions';
import { PresenceStates } from '@tidings/common/redis/presence-states';
import { Routes } from '@tidings/common/redis/routes';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { isAway } from '@tidings/common/runtime/database-errors';
import { DatabaseWatch } from '@tidings/common/runtime/database-watch';
import { refuseLostCommits } from '@tidings/common/runtime/durability';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { nestLogger } from '@tidings/common/runtime/logger';
import { Service, type ServiceOptions } from '@tidings/common/runtime/service';
import { whileAway } from '@tidings/common/runtime/waiting';
import { answerCalls } from '@tidings/common/rpc/rpc-server';
import type { DataSource } from 'typeorm';
import { migrate, presenceDataSource } from './data-source';
import { LastSeenRepository } from './last-seen.repository';
import type { PresenceEnv } from './presence.env';
import { PresenceMetrics } from './presence.metrics';
import { PresenceModule } from './presence.module';
import { PresenceService } from './presence.service';
import { ChangeLog } from './change-log';
import { ClockKeeper } from './clock-keeper';
import { rulesOf } from './domain/rules';
import { GatewayWatch } from './gateway-watch';
import { Reaper } from './reaper';
import { RedisReturn } from './redis-return';
import { Tracker } from './tracker';
import { UserWriter } from './user-writer';

/** A fetch comes with the first record: watchers wait for it. Milliseconds and bytes. */
const MAX_WAIT_MS = 100;
const MIN_BYTES = 1;

const READS = {
  service: 'presence' as const,
  groups: [GROUPS.presenceTracker],
  topics: [TOPICS.presence, TOPICS.presenceChanges],
};

/** How often what time alone says is looked at, milliseconds. */
const TICK_MS = 200;
const LOOK_MS = 1_000;
const KEEP_MS = 2_000;
/** What may wait for the log in each writer; more stays due. */
const QUEUE = { queueRecords: 5_000, queueBytes: 4 * 1024 * 1024 };
/** Changes are ordered by their versions, in whatever log they are. */
const NO_EPOCH = 0;
const FLUSH_MS = 2_000;
/** How long the start waits between two tries to reach PostgreSQL. */
const DATABASE_PAUSE_MS = 300;

/** The presence service: its parts and the order in which they start. */
export class Presence {
  private readonly service: Service;
  private readonly redisReturn: RedisReturn;
  private readonly database: DataSource;
  private readonly repository: LastSeenRepository;
  private readonly watch: DatabaseWatch;
  private readonly figures: PresenceMetrics;
  private readonly strategy: LogConsumerStrategy;
  private readonly partitions: PresencePartitions;
  private readonly states: PresenceStates;
  private readonly changes: LogWriter;
  private readonly losses: LogWriter;
  private readonly tracker: Tracker;
  private readonly gateways: GatewayWatch;
  private readonly reaper: Reaper;
  private readonly clocks: ClockKeeper;
  private redisRun: string | null = null;
  private ticking = false;
  private timers: NodeJS.Timeout[] = [];

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
    this.partitions = new PresencePartitions(redis);
    this.states = new PresenceStates(redis);
    this.changes = this.writerTo(TOPICS.presenceChanges);
    this.losses = this.writerTo(TOPICS.presence);
    const leases = new GatewayLease(redis);
    const { figures, partitions, states, repository: lastSeen, strategy } = this;
    this.tracker = new Tracker({
      partitions,
      users: new UserWriter({
        states,
        partitions,
        leases,
        lastSeen,
        changes: new ChangeLog(this.changes, Date.now),
        rules: rulesOf({
          awayMs: env.AWAY_SECONDS * 1_000,
          graceMs: env.PRESENCE_GRACE_SECONDS * 1_000,
        }),
        metrics: figures,
        defects,
        logger,
      }),
      deadLetters: { put: (record, reason) => strategy.deadLetter(record, reason) },
      owns: (partition) => strategy.owns(TOPICS.presence, partition),
      metrics: figures,
      logger,
    });
    const { tracker } = this;
    const common = { tracker, partitions, metrics: figures, logger };
    this.gateways = new GatewayWatch({ ...common, leases });
    this.reaper = new Reaper({
      leads: () => strategy.owns(TOPICS.presence, 0),
      boots: new Boots(redis),
      leases,
      routes: new Routes(redis),
      writer: this.losses,
      metrics: figures,
      logger,
      now: Date.now,
    });
    this.clocks = new ClockKeeper({ ...common, states, lastSeen, defects });
    readiness.add('kafka', () => (this.strategy.isReady() ? null : 'not joined yet'));
    readiness.add('redis', () => this.service.redisProblem());
    readiness.add('database', () => this.watch.problem());
  }

  /** Address of the listener. */
  get url(): string {
    return this.service.url;
  }

  /** The start order; stopping is its reverse. */
  steps(): Step[] {
    const { service } = this;
    return [
      { name: 'listener', start: () => service.listen(), stop: () => service.stopListening() },
      {
        name: 'redis',
        start: () => service.reachRedis(),
        stop: () => service.leaveRedis(),
      },
      { name: 'database', start: () => this.openDatabase(), stop: () => this.closeDatabase() },
      { name: 'watch', start: () => this.watch.start(), stop: () => this.watch.stop() },
      { name: 'topics', start: () => service.checkTopics(), stop: () => service.stopWaiting() },
      { name: 'calls', start: () => this.takeCalls(), stop: () => service.stopListening() },
      { name: 'announcement', start: () => service.announce() },
      {
        name: 'writers',
        start: async () => {
          await Promise.all([this.changes.start(), this.losses.start()]);
        },
        stop: async () => {
          await Promise.all([
            this.changes.stop({ flushMs: FLUSH_MS }),
            this.losses.stop({ flushMs: FLUSH_MS }),
          ]);
        },
      },
      {
        name: 'consumer',
        start: () => this.consume(),
        stop: () => this.leave(),
        stopWithinMs: 12_000,
      },
      { name: 'drain', stop: () => service.drain() },
    ];
  }

  private async openDatabase(): Promise<void> {
    const { database } = this;
    const { NODE_ENV: mode } = this.options.env;
    const open = async (): Promise<void> => {
      if (!database.isInitialized) await database.initialize();
      if (mode === 'production') await refuseLostCommits((text) => database.query(text));
      await migrate(database);
    };
    const wait = { isAway, pauseMs: DATABASE_PAUSE_MS };
    await whileAway(open, { ...wait, ...this.service.awaiting('database') });
  }

  private async closeDatabase(): Promise<void> {
    this.service.stopWaiting();
    if (this.database.isInitialized) await this.database.destroy();
  }

  private takeCalls(): void {
    const { env, logger, metrics } = this.options;
    const service = new PresenceService({
      states: this.states,
      partitions: this.partitions,
      partitionOf: (userId) => partitionOf(userId, env.KAFKA_PARTITIONS),
      lastSeen: this.repository,
      redisReturn: this.redisReturn,
      metrics: this.figures,
      logger,
    });
    const calls = answerCalls({
      table: PRESENCE_RPC,
      handlers: { 'presence.get': (input) => service.get(input) },
      nodeId: env.NODE_ID,
      secret: env.CLUSTER_SECRET,
      logger,
      metrics,
    });
    this.service.answer(calls);
  }

  private async consume(): Promise<void> {
    this.redisRun = await redisRunId(this.service.redis);
    const { strategy } = this;
    const logger = nestLogger(this.options.logger);
    const module = PresenceModule.around(this.tracker);
    const app = await NestFactory.createMicroservice(module, { strategy, logger });
    await app.listen();
    const { gateways, reaper, clocks } = this;
    this.timers = [
      setInterval(() => void this.tick(), TICK_MS),
      setInterval(() => void gateways.look(), LOOK_MS),
      setInterval(() => void reaper.look(), LOOK_MS),
      setInterval(() => void clocks.keep(), KEEP_MS),
    ];
    this.redisReturn.onReturn(() => void this.redisIsBack());
  }

  /** A Redis that has started anew may lack what was written last. */
  private async redisIsBack(): Promise<void> {
    const runId = await redisRunId(this.service.redis).catch(() => null);
    if (runId === null || runId !== this.redisRun) await this.tracker.redisRestarted();
    this.redisRun = runId;
  }

  /** One at a time: a slow one puts the next one off. */
  private async tick(): Promise<void> {
    if (this.ticking) return;
    this.ticking = true;
    await this.tracker.tick();
    this.ticking = false;
  }

  private consumer(): LogConsumerStrategy {
    return this.service.consumer({
      groupId: GROUPS.presenceTracker,
      lifecycle: {
        assigned: (_topic, partition, context) => this.tracker.assigned(partition, context),
        revoked: (_topic, partition) => this.tracker.revoked(partition),
      },
      onGap: 'skip',
      minBytes: MIN_BYTES,
      maxWaitTimeInMs: MAX_WAIT_MS,
      says: { gap: 'connection events are missing from the log' },
    });
  }

  private writerTo(topic: string): LogWriter {
    const { env } = this.options;
    const { kafka, defects } = this.service;
    return new LogWriter({
      kafka,
      topic,
      partitions: env.KAFKA_PARTITIONS,
      source: env.NODE_ID,
      epoch: NO_EPOCH,
      limits: QUEUE,
      onError: (error: unknown) => defects.note('answer', error),
    });
  }

  private async leave(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await this.clocks.keep();
    await this.strategy.close();
    await this.service.leavePeers();
  }
}
