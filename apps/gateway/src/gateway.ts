import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { SocketTickets } from './auth/socket-tickets';
import { ChangeHandler } from './change/change.handler';
import { ChangeService } from './change/change.service';
import { InboxDelivery } from './deliver/inbox-delivery';
import { Announcer } from './directory/announcer';
import { BootKeeper } from './directory/boot-keeper';
import { PresenceEvents } from './directory/presence-events';
import { RouteKeeper } from './directory/route-keeper';
import { ratesInForce, type GatewayEnv } from './gateway.env';
import type { SharedParts } from './gateway.module';
import { ClientAddresses } from './http/client-addresses';
import { OpenCallsGuard } from './http/open-calls.guard';
import { OpenConnections } from './http/open-connections';
import { RefusalPace } from './http/refusal-pace';
import { SharedAddresses } from './http/shared-addresses';
import { costsOf } from './rates/user-rate.guard';
import type { UserRates } from './rates/user-rates';
import { ReceiptHandler } from './receipts/receipt.handler';
import type { ReceiptLog } from './receipts/receipt-log';
import { SendHandler } from './send/send.handler';
import type { HoldingWriter } from './spool/holding-writer';
import { ConnectionOpener } from './socket/connection-opener';
import { ConnectionTable } from './socket/connection-table';
import { Drain } from './socket/drain';
import { FrameRouter } from './socket/frame-router';
import { Heartbeat } from './socket/heartbeat';
import { SOCKET_PATH, SocketServer } from './socket/socket-server';
import { DelayedSyncs } from './sync/delayed-syncs';
import { SyncHandler } from './sync/sync.handler';
import { SyncService } from './sync/sync.service';
import type { TypingParts } from './typing/typing.parts';

import {
  makeBoot,
  makeLogs,
  makeReceipts,
  makeSends,
  makeStores,
  makeTrace,
  makeTyping,
  makeWires,
  type Boot,
  type Context,
  type GatewayOptions,
  type Logs,
  type Receipts,
  type Sends,
  type Stores,
  type Wires,
} from './gateway.parts';
const UPGRADE = { method: 'GET', route: SOCKET_PATH };
const SOCKET_COSTS = costsOf('GET /v1/ws', null);
/** A peer that does not answer a close frame is cut off after this part of a heartbeat. */
const CLOSE_TIMEOUT_HEARTBEATS = 0.25;
const MOST_CLOSE_TIMEOUT_MS = 2_000;
/** The parts of a running gateway that the start order starts and stops. */
export interface Gateway {
  shared: SharedParts;
  writer: LogWriter;
  /** Over {@link writer}: holds sends on disk while the log is away. */
  holding: HoldingWriter;
  presenceWriter: LogWriter;
  receiptWriter: LogWriter;
  receipts: ReceiptLog;
  typing: TypingParts;
  watermarks: Watermarks;
  boot: BootKeeper;
  routeKeeper: RouteKeeper;
  heartbeat: Heartbeat;
  addresses: ClientAddresses;
  connections: OpenConnections;
  sockets: SocketServer;
  delayed: DelayedSyncs;
  drain: Drain;
  delivery: InboxDelivery;
  presence: PresenceEvents;
  table: ConnectionTable;
  rates: UserRates;
  announcer: (url: string) => Announcer;
}

/** Puts a gateway together; nothing is started. */
export function composeGateway(options: GatewayOptions): Gateway {
  const clock = (): number => performance.now();
  const wallClock = (): number => Date.now() + options.env.TEST_CLOCK_OFFSET_MS;
  const context = { ...options, clock, wallClock, gatewayId: options.env.NODE_ID };
  const stores = makeStores(context);
  const logs = makeLogs(context);
  const sends = makeSends(context, stores, logs);
  const wires = makeWires(context, stores, logs, sends);
  const boot = makeBoot(context, stores, wires);
  const receipts = makeReceipts(context, logs, sends);
  return connect(context, stores, logs, { ...wires, ...boot }, { ...sends, ...receipts });
}

/** Joins sockets, sends and syncs. */
function connect(
  context: Context,
  stores: Stores,
  logs: Logs,
  wires: Wires & Boot,
  sends: Sends & Receipts,
): Gateway {
  const { env, backends, counts, logger, gatewayId, clock, wallClock } = context;
  const { storage } = backends;
  const { table, writes, close, failed } = wires;
  const syncs = new SyncService(storage, logs.barrier);
  const { barrier, writer } = logs;
  const delayed = new DelayedSyncs({ storage, barrier, writes, logger, failed, clock });
  const { membership } = sends;
  const typing = makeTyping(context, sends);
  const changes = new ChangeService({ storage, barrier, membership, writer, clock, wallClock });
  const router = new FrameRouter({
    sends: new SendHandler({
      ...sends,
      writes,
      counts,
      close,
      wallClock,
      media: sends.media.access,
    }),
    changes: new ChangeHandler({ service: changes, writes, counts }),
    receipts: new ReceiptHandler({ ...sends, metrics: context.metrics.receipts, writes }),
    typing: typing.handler,
    syncs: new SyncHandler(syncs, delayed, writes),
    rates: stores.rates,
    writes,
    close,
    failed: wires.failed,
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
    rates: ratesInForce(env),
    wallClock,
  });
  const addresses = new ClientAddresses(env.TRUST_PROXY);
  const connections = new OpenConnections({
    inAll: env.MAX_CONNECTIONS + env.MAX_HTTP_CONNECTIONS,
    perAddress: env.ADDRESS_CONNECTIONS,
    addresses,
    shared: new SharedAddresses(env.SHARED_ADDRESSES),
    refused: (reason) => context.metrics.bounded.inc({ reason }),
  });
  const security = new SecurityLog(logger);
  const tickets = new SocketTickets(gatewayId, stores.tickets, stores.gate, security);
  const sockets = new SocketServer({
    takeTicket: async (ticket, address) => {
      const owner = await tickets.take(ticket, address);
      await stores.rates.require(owner, SOCKET_COSTS);
      return owner;
    },
    addresses,
    connections,
    allowedOrigins: env.ALLOWED_ORIGINS,
    maxConnections: env.MAX_CONNECTIONS,
    ...socketLimits(env),
    table,
    router,
    opened: (connection) => {
      wires.heartbeat.watch(connection);
      return opener.open(connection);
    },
    closed: (connection, code) => {
      wires.closer.closed(connection, code);
      typing.handler.closed(connection);
    },
    close,
    failed: (connection, error) => {
      if (connection) wires.failed(connection, error);
      else context.defects.note('upgrade', error);
    },
    refused: (error) => {
      // `failed` has heard of the others
      if (error.code !== 'internal') context.answers.noteOften(UPGRADE, error);
    },
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
      trace: makeTrace(context, stores, logs),
      counts,
      openCalls: new OpenCallsGuard((reason) => context.metrics.bounded.inc({ reason })),
      refusals: new RefusalPace((reason) => context.metrics.bounded.inc({ reason })),
      presence: backends.presence,
    },
    ...logs,
    ...wires,
    receipts: sends.receipts,
    typing,
    holding: sends.holding,
    addresses,
    connections,
    sockets,
    delayed,
    rates: stores.rates,
    announcer: (url) => new Announcer(stores.listing, gatewayId, () => entry(url)),
  };
}

function socketLimits(env: GatewayEnv) {
  const { perMinute, burst } = env.RATE_LIMITS.frame;
  const patienceMs = env.HEARTBEAT_SECONDS * 1000 * CLOSE_TIMEOUT_HEARTBEATS;
  return {
    frames: { perSecond: perMinute / 60, burst },
    closeTimeoutMs: Math.min(MOST_CLOSE_TIMEOUT_MS, patienceMs),
  };
}
