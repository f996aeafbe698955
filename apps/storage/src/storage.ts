import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { STORAGE_RPC } from '@tidings/common/rpc/calls';
import { GROUPS, isDeadLetterTopic, TOPICS } from '@tidings/common/log-events/topics';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { rewriteAppendOnlyFile } from '@tidings/common/redis/append-only-file';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { specsOf } from '@tidings/common/kafka/wire/topics';
import { createMediaDriver } from '@tidings/common/media/media-env';
import type { MediaDriver } from '@tidings/common/media/media-driver';
import { AccountNews } from '@tidings/common/redis/account-news';
import { SharedGuesses } from '@tidings/common/redis/guesses';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { MemberCache } from '@tidings/common/redis/members';
import { Routes } from '@tidings/common/redis/routes';
import { SocketEnds } from '@tidings/common/redis/socket-ends';
import { DeviceLogins } from '@tidings/common/redis/logins';
import { isAway } from '@tidings/common/runtime/database-errors';
import { DatabaseWatch } from '@tidings/common/runtime/database-watch';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { nestLogger } from '@tidings/common/runtime/logger';
import { Service, type ServiceOptions } from '@tidings/common/runtime/service';
import { whileAway } from '@tidings/common/runtime/waiting';
import { answerCalls } from '@tidings/common/rpc/rpc-server';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import type { DataSource } from 'typeorm';
import { LoginRule } from './accounts/logins.service';
import { OwnGuesses } from './accounts/own-guesses';
import { PasswordGuesses } from './accounts/password-guesses';
import { PasswordHasher } from './accounts/password-hasher';
import { LoginAnnouncer } from './accounts/login-announcer';
import { Database } from './database/database';
import { openCurrent } from './database/schema';
import { GUESS_RATES } from './accounts/guess-rates';
import { ExpirySweep } from './expiry/expiry-sweep';
import { ExpiryRepository } from './expiry/expiry.repository';
import { JournalSweep } from './expiry/journal-sweep';
import { WriteAheadLog } from './expiry/write-ahead-log';
import { DeadLetterWatch } from './log/dead-letter-watch';
import { loadLogState } from './log/log-state';
import { APPLY_CONNECTIONS, OpenLog } from './messages/open-log';
import { caughtUp } from './media/caught-up';
import { MediaRepository } from './media/media.repository';
import { MediaSettings } from './media/media.service';
import { BroadcastSweep } from './broadcasts/broadcast-sweep';
import { BroadcastSettings, BroadcastsService } from './broadcasts/broadcasts.service';
import { MediaSweep } from './media/media-sweep';
import { CONCURRENT_RECEIPTS, receiptsConsumer } from './receipts/receipts.consumer';
import { LeadersRepository } from './leader/leaders.repository';
import { Leadership } from './leader/leadership';
import { OutboxRepository } from './outbox/outbox.repository';
import { OutboxService } from './outbox/outbox.service';
import { OutboxSweep } from './outbox/outbox-sweep';
import type { StorageEnv } from './storage.env';
import { watchStorage } from './storage.metrics';
import { StorageModule } from './storage.module';
import { storageHandlers, StorageServices } from './storage.rpc';
import { StateKeeper } from './sync/state-keeper';

/** How long the start waits between two tries to reach PostgreSQL, in milliseconds. */
const DATABASE_PAUSE_MS = 300;
/** Changes of conversations that are appended at the same time; each holds a connection. */
const OUTBOX_CONNECTIONS = 4;

const READS = {
  service: 'storage' as const,
  groups: [GROUPS.storageWriter, GROUPS.storageReceipts],
  topics: [TOPICS.messages, TOPICS.receipts],
};

/** The storage service: its parts and the order in which they start. */
export class Storage {
  private readonly service: Service;
  private readonly database: Database;
  private readonly writes: Database;
  private readonly outbox: Database;
  private readonly receiptWrites: Database;
  private readonly watch: DatabaseWatch;
  private readonly announcer: LoginAnnouncer;
  private readonly hasher = new PasswordHasher();
  private dataSource: DataSource | null = null;
  /** Null before the step "log". */
  private log: OpenLog | null = null;
  /** Reads the receipt log; null before its step. */
  private receipts: LogConsumerStrategy | null = null;
  private app: INestMicroservice | null = null;
  private sweep: OutboxSweep | null = null;
  private readonly media: MediaDriver;
  private readonly watermarks: Watermarks;
  private readonly keeper: StateKeeper;
  private broadcastSweep: BroadcastSweep | null = null;
  private mediaSweep: MediaSweep | null = null;
  private expirySweep: ExpirySweep | null = null;
  private journalSweep: JournalSweep | null = null;
  private readonly deadLetters: DeadLetterWatch;
  private readonly offsets: LogOffsets;
  private leadership: Leadership | null = null;
  private readonly writeAheadLog: WriteAheadLog;

  constructor(private readonly options: ServiceOptions<StorageEnv>) {
    const { env, logger, readiness } = options;
    const leads = () => this.leadership?.term() != null;
    this.service = new Service(options, { ...READS, leads });
    const { kafka, redis } = this.service;
    this.database = this.pool('reads', env.DATABASE_POOL);
    this.writes = this.pool('log', APPLY_CONNECTIONS);
    this.outbox = this.pool('outbox', OUTBOX_CONNECTIONS);
    this.receiptWrites = this.pool('receipts', CONCURRENT_RECEIPTS);
    this.media = createMediaDriver(env);
    this.watermarks = new Watermarks(kafka, TOPICS.messages);
    this.offsets = new LogOffsets(kafka);
    this.deadLetters = new DeadLetterWatch({
      offsets: this.offsets,
      topics: specsOf(env).flatMap(({ name }) => (isDeadLetterTopic(name) ? [name] : [])),
      isLeader: leads,
      metrics: options.metrics,
      logger,
    });
    this.watch = new DatabaseWatch(() => this.database.rows({ text: 'SELECT 1' }), logger);
    const journalName = `${env.NODE_ID}/journal`;
    this.writeAheadLog = new WriteAheadLog({ url: env.DATABASE_URL, name: journalName });
    const unkept = options.metrics.counter('storage_unkept_total', 'Counts of syncs not kept');
    this.keeper = new StateKeeper(this.database, logger, () => unkept.inc());
    this.announcer = new LoginAnnouncer(new DeviceLogins(redis), logger);
    readiness.add('kafka', () => (this.log?.strategy.isReady() ? null : 'not joined yet'));
    readiness.add('receipts', () => (this.receipts?.isReady() ? null : 'not joined yet'));
    readiness.add('database', () => this.watch.problem());
  }

  /** Address of the listener. */
  get url(): string {
    return this.service.url;
  }

  /** The start order; stopping is its reverse. Redis may be away: nothing here depends on it. */
  steps(): Step[] {
    const { service } = this;
    return [
      { name: 'listener', start: () => service.listen(), stop: () => service.stopListening() },
      { name: 'redis', start: () => service.joinPeers(), stop: () => this.leaveRedis() },
      {
        name: 'database',
        start: () => this.openDatabase(),
        stop: () => this.closeDatabase(),
      },
      { name: 'watch', start: () => this.watch.start(), stop: () => this.watch.stop() },
      { name: 'log', start: () => this.openLog(), stop: () => this.closeLog() },
      { name: 'calls', start: () => this.takeCalls(), stop: () => this.endCalls() },
      { name: 'announcement', start: () => service.announce() },
      {
        name: 'consumer',
        start: () => this.joinGroups(),
        stop: () => this.leaveGroup(),
        stopWithinMs: 12_000,
      },
      {
        name: 'leadership',
        start: () => this.leadership?.start(),
        stop: () => this.leadership?.stop(),
      },
      {
        name: 'outbox sweep',
        start: () => this.sweep?.start(),
        stop: () => this.sweep?.stop(),
      },
      {
        name: 'broadcast sweep',
        start: () => this.broadcastSweep?.start(),
        stop: () => this.broadcastSweep?.stop(),
      },
      {
        name: 'expiry sweep',
        start: () => this.expirySweep?.start(),
        stop: () => this.expirySweep?.stop(),
      },
      {
        name: 'journal sweep',
        start: () => this.journalSweep?.start(),
        stop: async () => {
          await this.writeAheadLog.stop();
          await this.journalSweep?.stop();
        },
      },
      {
        name: 'dead letters',
        start: () => this.deadLetters.start(),
        stop: () => this.stopDeadLetters(),
      },
      { name: 'media sweep', start: () => this.mediaSweep?.start(), stop: () => this.stopMedia() },
      { name: 'drain', stop: () => service.drain() },
    ];
  }

  private pool(part: string, connections: number): Database {
    const { env, logger } = this.options;
    const options = { url: env.DATABASE_URL, name: `${env.NODE_ID}/${part}`, connections };
    return new Database(options, (error) => logger.debug({ err: error }, 'a connection ended'));
  }

  private passwordGuesses(): PasswordGuesses {
    const { metrics } = this.options;
    const checks = metrics.counter(
      'storage_password_checks_total',
      'Passwords, by what they were',
      ['outcome'],
    );
    const shared = new SharedGuesses(this.service.redis, GUESS_RATES);
    const own = new OwnGuesses(GUESS_RATES);
    return new PasswordGuesses(shared, own, (outcome) => checks.inc({ outcome }));
  }

  private async openDatabase(): Promise<void> {
    const { env } = this.options;
    const name = `${env.NODE_ID}/accounts`;
    const open = () => openCurrent(env.DATABASE_URL, name, env.NODE_ENV);
    this.dataSource = await this.whileDatabaseIsAway(open);
  }

  private whileDatabaseIsAway<T>(attempt: () => Promise<T>): Promise<T> {
    const wait = { isAway, pauseMs: DATABASE_PAUSE_MS };
    return whileAway(attempt, { ...wait, ...this.service.awaiting('database') });
  }

  private async closeDatabase(): Promise<void> {
    this.service.stopWaiting();
    await this.keeper.stop();
    const pools = [this.database, this.writes, this.outbox, this.receiptWrites];
    await Promise.all(pools.map((pool) => pool.close()));
    if (this.dataSource?.isInitialized) await this.dataSource.destroy();
  }

  private leaveRedis(): Promise<void> {
    this.announcer.stop();
    return this.service.leaveRedis();
  }

  /** Checks that topics, log and database fit before anything is read or written. */
  private async openLog(): Promise<void> {
    const { env, logger, metrics, onFatal } = this.options;
    const { service } = this;
    await service.checkTopics();
    const load = () => loadLogState(this.database, env.KAFKA_PARTITIONS);
    this.log = await OpenLog.open({
      service,
      nodeId: env.NODE_ID,
      log: await this.whileDatabaseIsAway(load),
      reads: this.database,
      writes: this.writes,
      logger,
      metrics,
      onFatal,
    });
    this.receipts = receiptsConsumer(service, { sql: this.receiptWrites, logger, metrics });
  }

  private async closeLog(): Promise<void> {
    this.service.stopWaiting();
    await this.log?.close();
  }

  private async takeCalls(): Promise<void> {
    const { env, logger, metrics } = this.options;
    const { log, dataSource, database, announcer, hasher } = this;
    const { redis } = this.service;
    if (!log || !dataSource) throw new Error('calls are taken behind log and database');
    const outbox = new OutboxRepository(this.outbox);
    const { state, progress, writer, batches, strategy } = log;
    const told = { routes: new Routes(redis), inboxes: new InboxWriter(redis), logger };
    const module = StorageModule.around({
      dataSource,
      database,
      outbox,
      announcer,
      hasher,
      progress,
      log: state,
      logWriter: writer,
      batchWriter: batches,
      memberCache: new MemberCache(redis),
      guesses: this.passwordGuesses(),
      news: new AccountNews(told),
      sockets: new SocketEnds(told),
      policy: new LoginRule(env.LOGIN_POLICY),
      logger,
      security: new SecurityLog(logger),
      media: new MediaSettings(env.MEDIA_ORPHAN_SECONDS),
      broadcasts: new BroadcastSettings(env.BROADCASTS_PER_HOUR),
      keeper: this.keeper,
      deadLetters: this.deadLetters,
    });
    const app = await NestFactory.createMicroservice(module, {
      strategy,
      logger: nestLogger(logger),
      abortOnError: false,
    });
    this.app = app;
    watchStorage(metrics, { database, progress, hasher, announcer });
    const led = metrics.gauge('storage_leader', 'Whether this instance leads storage');
    const changes = metrics.counter('storage_leader_changes_total', 'Times the lead came or went');
    led.set(0);
    const leadership = new Leadership({
      service: 'storage',
      nodeId: env.NODE_ID,
      bootId: this.service.bootId,
      owns: () => strategy.owns(state.topic, 0),
      leaders: new LeadersRepository(database),
      logger,
      changed: (leads) => {
        led.set(leads ? 1 : 0);
        changes.inc();
      },
    });
    this.leadership = leadership;
    const term = (): string | null => leadership.term();
    const isLeader = (): boolean => term() !== null;
    this.sweep = new OutboxSweep(outbox, app.get(OutboxService), term, logger);
    this.broadcastSweep = new BroadcastSweep(app.get(BroadcastsService), term, logger);
    this.mediaSweep = new MediaSweep({
      term,
      logger,
      media: app.get(MediaRepository),
      driver: this.media,
      caughtUp: () => caughtUp(this.watermarks, progress),
      everyMs: env.MEDIA_SWEEP_SECONDS * 1000,
    });
    const cleared = metrics.counter('storage_expired_total', 'Messages whose content has expired');
    this.expirySweep = new ExpirySweep({
      logger,
      expiry: new ExpiryRepository(database),
      clock: () => performance.now(),
      cleared: (messages) => cleared.inc(messages),
      everyMs: env.EXPIRY_SWEEP_SECONDS * 1000,
    });
    const rewrites = metrics.counter(
      'storage_journal_rewrites_total',
      'Rewrites of the journals of Redis and PostgreSQL',
      ['journal', 'outcome'],
    );
    this.journalSweep = new JournalSweep({
      isLeader,
      logger,
      clock: () => performance.now(),
      journals: [
        { name: 'redis', rewrite: () => rewriteAppendOnlyFile(redis) },
        { name: 'postgresql', rewrite: () => this.writeAheadLog.rewrite() },
      ],
      count: (journal, outcome) => rewrites.inc({ journal, outcome }),
      everyMs: env.JOURNAL_SWEEP_SECONDS * 1000,
    });
    const calls = answerCalls({
      table: STORAGE_RPC,
      handlers: storageHandlers(app.get(StorageServices)),
      nodeId: env.NODE_ID,
      secret: env.CLUSTER_SECRET,
      logger,
      metrics,
    });
    this.service.answer(calls);
  }

  private async endCalls(): Promise<void> {
    await this.service.stopListening();
    await this.app?.close();
  }

  private async joinGroups(): Promise<void> {
    await Promise.all([this.app?.listen(), this.receipts?.start()]);
  }

  /** What it asks of Kafka at that moment is given up. */
  private stopDeadLetters(): Promise<void> {
    this.offsets.close();
    return this.deadLetters.stop();
  }

  private async stopMedia(): Promise<void> {
    await this.mediaSweep?.stop();
    this.watermarks.stop();
    this.media.close();
  }

  private async leaveGroup(): Promise<void> {
    await Promise.all([this.log?.strategy.close(), this.receipts?.close()]);
    await this.service.leavePeers();
  }
}
