import { TOPICS } from '@tidings/common/log-events/topics';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { GatewayDirectory } from '@tidings/common/redis/directory';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { GatewayLease } from '@tidings/common/redis/lease';
import { MemberCache } from '@tidings/common/redis/members';
import { RateBuckets } from '@tidings/common/redis/rate-buckets';
import { RoutedMarks } from '@tidings/common/redis/routed-marks';
import { Routes } from '@tidings/common/redis/routes';
import { DeviceSessions } from '@tidings/common/redis/sessions';
import { Tickets } from '@tidings/common/redis/tickets';
import { clusterMac } from '@tidings/common/rpc/credentials';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { ErrorCode } from '@tidings/protocol/errors';
import type { Defects } from '@tidings/common/runtime/defects';
import type { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import type { Logger } from '@tidings/common/runtime/logger';
import { HashCalls } from './auth/hash-calls';
import { SessionGate } from './auth/session-gate';
import type { Backends } from './backends';
import { InboxDelivery } from './deliver/inbox-delivery';
import { AccountNews } from '@tidings/common/redis/account-news';
import { BootKeeper } from './directory/boot-keeper';
import { DevicePresence } from './directory/device-presence';
import { DirectoryService } from './directory/directory.service';
import { PresenceEvents } from './directory/presence-events';
import { RouteCloser } from './directory/route-closer';
import { RouteKeeper } from './directory/route-keeper';
import type { GatewayEnv } from './gateway.env';
import type { GatewayMetrics } from './gateway.metrics';
import { MediaParts } from './media/media.parts';
import { UserRates } from './rates/user-rates';
import { DirectConversations } from './send/direct-conversations';
import { FirstAppends } from './send/first-appends';
import { LogEnds } from './receipts/log-ends';
import { ReceiptJudge } from './receipts/receipt-judge';
import { ReceiptLog } from './receipts/receipt-log';
import type { LogPositions } from './send/log-positions';
import { Membership } from './send/membership';
import { MessageLog } from './send/message-log';
import { QueueShares } from './send/queue-shares';
import type { SendCounts } from './send/send-counts';
import type { Connection } from './socket/connection';
import { ConnectionCloser } from './socket/connection-closer';
import { ConnectionTable } from './socket/connection-table';
import { Drain } from './socket/drain';
import { Heartbeat } from './socket/heartbeat';
import { WriteQueue } from './socket/write-queue';
import { makeHolding, type Spool } from './spool/holding.parts';
import { ReadBarrier } from './sync/read-barrier';
import { TraceService } from './trace/trace.service';
import { TypingParts } from './typing/typing.parts';

/** Sends that may wait for the log: what a client's patience of 10 s is worth. */
export const SEND_QUEUE = { queueRecords: 5_000, queueBytes: 16 * 1024 * 1024 };
/** What one sender may have of them: a whole burst of the largest messages fits. */
export const SEND_SHARE = 1 / 8;
/** Presence events that may wait for the log; more are dropped. They are in no hurry: many go at once. */
const PRESENCE_QUEUE = { queueRecords: 1_000, queueBytes: 1024 * 1024, linger: 50 };

/** Receipts that may wait for the log; beyond that the latest of each device waits outside. */
const RECEIPT_QUEUE = { queueRecords: 2_000, queueBytes: 1024 * 1024 };

export interface GatewayOptions {
  env: GatewayEnv;
  backends: Backends;
  positions: LogPositions;
  metrics: GatewayMetrics;
  counts: SendCounts;
  /** What this node holds on its disk. */
  spool: Spool;
  logger: Logger;
  defects: Defects;
  answers: ErrorAnswers;
  fatal: (reason: string) => void;
}

export type Context = GatewayOptions & {
  gatewayId: string;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
};
export type Stores = ReturnType<typeof makeStores>;
export type Logs = ReturnType<typeof makeLogs>;
export type Wires = ReturnType<typeof makeWires>;
export type Boot = ReturnType<typeof makeBoot>;
export type Sends = ReturnType<typeof makeSends>;
export type Receipts = ReturnType<typeof makeReceipts>;

/** What lies in Redis, and who may use it. */
export function makeStores({ env, backends, gatewayId, metrics, clock, logger }: Context) {
  const { redis, storage } = backends;
  const rates = new UserRates({
    buckets: new RateBuckets(redis),
    rates: env.RATE_LIMITS,
    refused: (rate) => metrics.rateLimited.inc({ rate }),
    alone: () => metrics.ratesAlone.inc(),
    clock,
  });
  const tickets = new Tickets(redis, { ticketMs: env.TICKET_SECONDS * 1000 });
  const sessions = new DeviceSessions(redis);
  const mac = (parts: readonly string[]): string => clusterMac(env.CLUSTER_SECRET, parts);
  const listing = new GatewayDirectory(redis, { mac });
  const directory = new DirectoryService({
    gatewayId,
    heartbeatSeconds: env.HEARTBEAT_SECONDS,
    ticketSeconds: env.TICKET_SECONDS,
    directory: listing,
    tickets,
    random: Math.random,
  });
  const routes = new Routes(redis);
  const inboxes = new InboxWriter(redis);
  const lease = new GatewayLease(redis);
  return {
    rates,
    tickets,
    sessions,
    listing,
    directory,
    routes,
    inboxes,
    members: new MemberCache(redis),
    routedMarks: new RoutedMarks(redis),
    lease,
    gate: new SessionGate(sessions, storage, clock),
    hashCalls: new HashCalls(),
    news: new AccountNews({ routes, inboxes, logger }),
    devicePresence: new DevicePresence(routes, lease),
  };
}

/** What goes to Kafka and what is asked there. */
export function makeLogs({ env, backends, positions, metrics, gatewayId, defects }: Context) {
  const { kafka } = backends;
  const common = {
    kafka,
    partitions: env.KAFKA_PARTITIONS,
    source: gatewayId,
    epoch: positions.epoch,
    onError: (error: unknown) => defects.note('answer', error),
  };
  const watermarks = new Watermarks(kafka, TOPICS.messages);
  /** Told when a partition takes no records; set by whoever holds them then. */
  const stalls = { take: (_partition: number): void => undefined };
  return {
    watermarks,
    stalls,
    barrier: new ReadBarrier(watermarks),
    writer: new LogWriter({
      ...common,
      topic: TOPICS.messages,
      limits: SEND_QUEUE,
      ...metrics.writerHooks(),
      onStalled: (partition) => stalls.take(partition),
    }),
    receiptWriter: new LogWriter({ ...common, topic: TOPICS.receipts, limits: RECEIPT_QUEUE }),
    presenceWriter: new LogWriter({ ...common, topic: TOPICS.presence, limits: PRESENCE_QUEUE }),
  };
}

/** Refusals of frames that are counted like a call's answer of 500 or more. */
const BLAMES_US: ReadonlySet<ErrorCode> = new Set(['internal', 'unavailable']);

/** The sockets' table, writer and closer, and what reaches them from elsewhere. */
export function makeWires(context: Context, stores: Stores, logs: Logs, { membership }: Sends) {
  const { gatewayId, metrics, wallClock, env, clock, defects, answers } = context;
  const table = new ConnectionTable();
  const writer = logs.presenceWriter;
  const presence = new PresenceEvents({ gatewayId, writer, wallClock });
  const closer = new ConnectionCloser({ gatewayId, table, routes: stores.routes, presence });
  const close = (connection: Connection, code: number, reason: string): void => {
    if (connection.ended) return;
    metrics.closed.inc({ code });
    closer.close(connection, code, reason);
  };
  /** Something threw over this connection: it costs this connection, and nothing else. */
  const failed = (connection: Connection, error: unknown): void => {
    const { id, userId } = connection;
    defects.note('frame', error, { connectionId: id, userId });
    try {
      close(connection, CLOSE_CODES.internalError, 'internal error');
    } catch {
      connection.raw.destroy();
    }
  };
  const writes = new WriteQueue({
    overflow: (connection, code) => close(connection, code, 'too slow'),
    refused: (type, error) => {
      // `busy` and `spool_full` tell of a bound, which has a figure of its own
      if (!BLAMES_US.has(error.code)) return;
      answers.noteOften({ method: 'WS', route: type }, error);
    },
  });
  const delivery = new InboxDelivery({
    table,
    writes,
    close,
    failed,
    conversationChanged: (conversationId) => membership.changed(conversationId),
  });
  const heartbeat = new Heartbeat(env.HEARTBEAT_SECONDS * 1000, clock, {
    close: (connection, code) => close(connection, code, 'no sign of life'),
    failed,
  });
  const drain = new Drain({ table, writes, close, random: Math.random });
  return {
    table,
    presence,
    closer,
    close,
    failed,
    writes,
    delivery,
    heartbeat,
    drain,
  };
}

/** Lease, inbox and routes. */
export function makeBoot(context: Context, stores: Stores, wires: Wires) {
  const { gatewayId, backends, logger, defects, fatal } = context;
  const { table, writes, close, closer, delivery } = wires;
  const routeKeeper: RouteKeeper = new RouteKeeper({
    gatewayId,
    bootId: (): string => boot.bootId,
    rebooting: (): boolean => boot.isRebooting,
    routes: stores.routes,
    sessions: stores.sessions,
    isSession: (c) => stores.gate.isValid(c.userId, c.deviceId, c.sessionGeneration),
    table,
    writes,
    logger,
    close,
  });
  const boot: BootKeeper = new BootKeeper({
    gatewayId,
    redis: backends.redis,
    blockingRedis: backends.blockingRedis,
    lease: stores.lease,
    logger,
    deliver: (payload) => delivery.take(payload),
    setAside: (error, n) => defects.note('entry', error, { n }),
    announceRoutes: (stale) => routeKeeper.announce(stale),
    fatal,
  });
  const routeCloser = new RouteCloser({
    gatewayId,
    isOwnBoot: (bootId) => boot.isOwn(bootId),
    table,
    closer,
    inboxes: stores.inboxes,
    logger,
  });
  return { routeKeeper, boot, routeCloser };
}

/** The way of a message into the log. */
export function makeSends(context: Context, stores: Stores, logs: Logs) {
  const { env, backends, positions, metrics, logger, clock, wallClock, spool, defects } = context;
  const { storage } = backends;
  const firsts = new FirstAppends(storage, clock);
  const membership = new Membership(stores.members, storage, clock);
  const directs = new DirectConversations(storage, membership, stores.rates);
  const rights = { membership, firsts, barrier: logs.barrier };
  const holding = makeHolding(context, logs.writer, rights, () => log);
  logs.stalls.take = (partition) => holding.stalled(partition);
  const log: MessageLog = new MessageLog({
    writer: holding,
    held: spool.held,
    shares: new QueueShares({
      records: SEND_QUEUE.queueRecords * SEND_SHARE,
      bytes: SEND_QUEUE.queueBytes * SEND_SHARE,
    }),
    positions,
    firsts,
    clock,
    wallClock,
    failed: (error) => defects.note('answer', error),
  });
  const media = new MediaParts({
    env,
    membership,
    storage,
    wallClock,
    logger,
    barrier: logs.barrier,
    count: (outcome) => metrics.uploads.inc({ outcome }),
  });
  return { firsts, membership, directs, log, holding, media };
}

/** The way of watermarks into their log. */
export function makeReceipts(
  { positions, metrics, clock, wallClock }: Context,
  { receiptWriter, barrier }: Logs,
  { membership }: Sends,
) {
  const partitionOf = (conversationId: string): number => receiptWriter.partitionOf(conversationId);
  const ends = new LogEnds({ barrier, positions, partitionOf, clock });
  return {
    judge: new ReceiptJudge(membership, ends),
    receipts: new ReceiptLog({
      writer: receiptWriter,
      metrics: metrics.receipts,
      clock,
      wallClock,
    }),
  };
}

/** The lane of typing. */
export function makeTyping(context: Context, { membership }: Sends): TypingParts {
  const { env, backends, positions, metrics } = context;
  return new TypingParts({
    ...context,
    kafka: backends.kafka,
    partitions: env.KAFKA_PARTITIONS,
    epoch: positions.epoch,
    membership,
    metrics: metrics.typing,
  });
}

/** What tells the way of a message. */
export function makeTrace(context: Context, stores: Stores, { barrier }: Logs): TraceService {
  const { env, backends, positions } = context;
  const { kafka, storage } = backends;
  return new TraceService({
    storage,
    barrier,
    positions,
    partitions: env.KAFKA_PARTITIONS,
    log: new LogOffsets(kafka),
    routed: stores.routedMarks,
  });
}
