import { TOPICS } from '@tidings/common/contracts/topics';
import { LogWriter } from '@tidings/common/kafka/log-writer';
import { Watermarks } from '@tidings/common/kafka/watermarks';
import { GatewayDirectory } from '@tidings/common/redis/directory';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { GatewayLease } from '@tidings/common/redis/lease';
import { MemberCache } from '@tidings/common/redis/members';
import { Routes } from '@tidings/common/redis/routes';
import { DeviceSessions } from '@tidings/common/redis/sessions';
import { Tickets } from '@tidings/common/redis/tickets';
import { clusterMac } from '@tidings/common/runtime/credentials';
import type { Logger } from '@tidings/common/runtime/logger';
import { SessionGate } from './auth/session-gate';
import { SocketTickets } from './auth/socket-tickets';
import type { Backends } from './backends';
import { InboxDelivery } from './deliver/inbox-delivery';
import { Announcer } from './directory/announcer';
import { BootKeeper } from './directory/boot-keeper';
import { DirectoryService } from './directory/directory.service';
import { PresenceEvents } from './directory/presence-events';
import { RouteCloser } from './directory/route-closer';
import { RouteKeeper } from './directory/route-keeper';
import type { GatewayEnv } from './gateway.env';
import type { SharedParts } from './gateway.module';
import type { GatewayMetrics } from './gateway.metrics';
import { DirectConversations } from './send/direct-conversations';
import { FirstAppends } from './send/first-appends';
import type { LogPositions } from './send/log-positions';
import { Membership } from './send/membership';
import { MessageLog } from './send/message-log';
import type { SendCounts } from './send/send-counts';
import { SendHandler } from './send/send.handler';
import type { Connection } from './socket/connection';
import { ConnectionCloser } from './socket/connection-closer';
import { ConnectionOpener } from './socket/connection-opener';
import { ConnectionTable } from './socket/connection-table';
import { Drain } from './socket/drain';
import { FrameRouter } from './socket/frame-router';
import { Heartbeat } from './socket/heartbeat';
import { SocketServer } from './socket/socket-server';
import { WriteQueue } from './socket/write-queue';
import { DelayedSyncs } from './sync/delayed-syncs';
import { ReadBarrier } from './sync/read-barrier';
import { SyncHandler } from './sync/sync.handler';
import { SyncService } from './sync/sync.service';

/** Frames of all kinds that a connection may send, as a multiple of its sends. */
const FRAMES_PER_SEND = 5;
/** A peer that does not answer a close frame is cut off after this part of a heartbeat. */
const CLOSE_TIMEOUT_HEARTBEATS = 0.25;
const MOST_CLOSE_TIMEOUT_MS = 2_000;
/** Sends that may wait for the log: what a client's patience of 10 s is worth. */
const SEND_QUEUE = { queueRecords: 5_000, queueBytes: 16 * 1024 * 1024 };
/** Presence events that may wait for the log; more are dropped. */
const PRESENCE_QUEUE = { queueRecords: 1_000, queueBytes: 1024 * 1024 };

export interface GatewayOptions {
  env: GatewayEnv;
  backends: Backends;
  positions: LogPositions;
  metrics: GatewayMetrics;
  counts: SendCounts;
  logger: Logger;
  fatal: (reason: string) => void;
}

/** The parts of a running gateway that the start order starts and stops. */
export interface Gateway {
  shared: SharedParts;
  writer: LogWriter;
  presenceWriter: LogWriter;
  watermarks: Watermarks;
  boot: BootKeeper;
  routeKeeper: RouteKeeper;
  heartbeat: Heartbeat;
  sockets: SocketServer;
  delayed: DelayedSyncs;
  drain: Drain;
  delivery: InboxDelivery;
  presence: PresenceEvents;
  table: ConnectionTable;
  announcer: (url: string) => Announcer;
}

/** Puts a gateway together; nothing is started. */
export function composeGateway(options: GatewayOptions): Gateway {
  const clock = (): number => performance.now();
  const wallClock = (): number => Date.now() + options.env.TEST_CLOCK_OFFSET_MS;
  const context = { ...options, clock, wallClock, gatewayId: options.env.NODE_ID };
  const stores = makeStores(context);
  const logs = makeLogs(context);
  const wires = makeWires(context, stores, logs);
  const sends = makeSends(context, stores, logs);
  return connect(context, stores, logs, wires, sends);
}

type Context = GatewayOptions & {
  gatewayId: string;
  clock: () => number;
  wallClock: () => number;
};
type Stores = ReturnType<typeof makeStores>;
type Logs = ReturnType<typeof makeLogs>;
type Wires = ReturnType<typeof makeWires>;
type Sends = ReturnType<typeof makeSends>;

/** What lies in Redis, and who may use it. */
function makeStores({ env, backends, gatewayId, clock }: Context) {
  const { redis, storage } = backends;
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
  return {
    tickets,
    sessions,
    listing,
    directory,
    routes: new Routes(redis),
    inboxes: new InboxWriter(redis),
    members: new MemberCache(redis),
    lease: new GatewayLease(redis),
    gate: new SessionGate(sessions, storage, clock),
  };
}

/** What goes to Kafka and what is asked there. */
function makeLogs({ env, backends, positions, metrics, gatewayId, logger }: Context) {
  const { kafka } = backends;
  const common = {
    kafka,
    partitions: env.KAFKA_PARTITIONS,
    source: gatewayId,
    epoch: positions.epoch,
    onError: (error: unknown) => logger.error({ err: error }, 'an append callback failed'),
  };
  const watermarks = new Watermarks(kafka, TOPICS.messages);
  return {
    watermarks,
    barrier: new ReadBarrier(watermarks),
    writer: new LogWriter({
      ...common,
      topic: TOPICS.messages,
      limits: SEND_QUEUE,
      ...metrics.writerHooks(),
    }),
    presenceWriter: new LogWriter({ ...common, topic: TOPICS.presence, limits: PRESENCE_QUEUE }),
  };
}

/** The sockets' table, writer and closer, and what reaches them from elsewhere. */
function makeWires(context: Context, stores: Stores, logs: Logs) {
  const { gatewayId, metrics, wallClock, env, clock, logger, backends } = context;
  const table = new ConnectionTable();
  const writer = logs.presenceWriter;
  const presence = new PresenceEvents({ gatewayId, writer, wallClock });
  const closer = new ConnectionCloser({ gatewayId, table, routes: stores.routes, presence });
  const close = (connection: Connection, code: number, reason: string): void => {
    metrics.closed.inc({ code });
    closer.close(connection, code, reason);
  };
  const writes = new WriteQueue({
    overflow: (connection, code) => close(connection, code, 'too slow'),
  });
  const delivery = new InboxDelivery({ table, writes, close });
  const heartbeat = new Heartbeat(env.HEARTBEAT_SECONDS * 1000, clock, (connection, code) =>
    close(connection, code, 'no sign of life'),
  );
  const routeKeeper: RouteKeeper = new RouteKeeper({
    gatewayId,
    bootId: (): string => boot.bootId,
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
    announceRoutes: (stale) => routeKeeper.announce(stale),
    fatal: context.fatal,
  });
  const routeCloser = new RouteCloser({
    gatewayId,
    isOwnBoot: (bootId) => boot.isOwn(bootId),
    table,
    closer,
    inboxes: stores.inboxes,
    logger,
  });
  const drain = new Drain({ table, writes, close, random: Math.random });
  return {
    table,
    presence,
    closer,
    close,
    writes,
    delivery,
    heartbeat,
    routeKeeper,
    boot,
    routeCloser,
    drain,
  };
}

/** The way of a message into the log. */
function makeSends({ backends, positions, clock, wallClock }: Context, stores: Stores, logs: Logs) {
  const { storage } = backends;
  const firsts = new FirstAppends(storage, clock);
  const membership = new Membership(stores.members, storage, clock);
  const directs = new DirectConversations(storage, membership);
  const log = new MessageLog({ writer: logs.writer, positions, firsts, clock, wallClock });
  return { firsts, membership, directs, log };
}

/** Joins sockets, sends and syncs. */
function connect(
  context: Context,
  stores: Stores,
  logs: Logs,
  wires: Wires,
  sends: Sends,
): Gateway {
  const { env, backends, counts, logger, gatewayId, clock, wallClock } = context;
  const { storage } = backends;
  const { table, writes, close } = wires;
  const syncs = new SyncService(storage, logs.barrier);
  const delayed = new DelayedSyncs({ storage, barrier: logs.barrier, writes, logger, clock });
  const router = new FrameRouter({
    sends: new SendHandler({ ...sends, writes, counts, close, clock, wallClock }),
    syncs: new SyncHandler(syncs, delayed, writes),
    writes,
    close,
    clock,
    wallClock,
  });
  const opener = new ConnectionOpener({
    gatewayId,
    heartbeatSeconds: env.HEARTBEAT_SECONDS,
    ...wires,
    ...stores,
    router,
    logger,
    wallClock,
  });
  const tickets = new SocketTickets(gatewayId, stores.tickets, stores.gate);
  const sockets = new SocketServer({
    takeTicket: (ticket) => tickets.take(ticket),
    allowedOrigins: env.ALLOWED_ORIGINS,
    maxConnections: env.MAX_CONNECTIONS,
    rates: connectionRates(env),
    closeTimeoutMs: Math.min(
      MOST_CLOSE_TIMEOUT_MS,
      env.HEARTBEAT_SECONDS * 1000 * CLOSE_TIMEOUT_HEARTBEATS,
    ),
    table,
    router,
    opened: (connection) => {
      wires.heartbeat.watch(connection);
      void opener.open(connection);
    },
    closed: (connection, code) => wires.closer.closed(connection, code),
    close,
    clock,
  });
  const entry = (url: string) => ({
    gatewayId,
    bootId: wires.boot.bootId,
    url,
    connections: table.size,
    capacity: env.MAX_CONNECTIONS,
    draining: false,
    at: Date.now(),
  });
  return {
    shared: {
      ...backends,
      ...stores,
      ...wires,
      ...logs,
      ...sends,
      syncs,
      counts,
      presence: backends.presence,
    },
    ...logs,
    ...wires,
    sockets,
    delayed,
    announcer: (url) => new Announcer(stores.listing, gatewayId, () => entry(url)),
  };
}

function connectionRates(env: GatewayEnv) {
  const sends = { perSecond: env.SEND_RATE_PER_SECOND, burst: env.SEND_BURST };
  const frames = {
    perSecond: sends.perSecond * FRAMES_PER_SEND,
    burst: sends.burst * FRAMES_PER_SEND,
  };
  return { sends, frames };
}
