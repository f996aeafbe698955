import { TidingsError } from '@tidings/protocol/errors';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import type { AuthParts } from './auth.parts';
import { SocketTickets } from '../auth/socket-tickets';
import type { BootParts } from './boot.parts';
import type { DirectoryParts } from './directory.parts';
import type { GatewayContext } from '../gateway.context';
import { ratesInForce, type GatewayEnv } from '../gateway.env';
import { ClientAddresses } from '../http/client-addresses';
import { OpenConnections } from '../http/open-connections';
import type { SharedAddresses } from '../rates/shared-addresses';
import { costsOf } from '../http/user-rate.guard';
import type { Announcer } from '@tidings/common/nodes/announcer';
import type { GatewayEntry } from '@tidings/common/redis/directory';
import type { AddressWindows } from '../rates/address-windows';
import type { Admission } from '../rates/admission';
import { WrongTickets } from '../rates/wrong-tickets';
import type { UserRates } from '../rates/user-rates';
import type { PresenceParts } from '../presence/presence.parts';
import type { TypingHandler } from '../typing/typing.handler';
import { ConnectionOpener } from '../socket/connection-opener';
import type { FrameRouter } from '../socket/frame-router';
import type { SocketParts } from './socket.parts';
import { SOCKET_PATH } from '@tidings/protocol/http';
import { SocketServer } from '../socket/socket-server';

const UPGRADE = { method: 'GET', route: SOCKET_PATH };
const SOCKET_COSTS = costsOf('GET /v1/ws', null);
/** A peer that does not answer a close frame is cut off after this part of a heartbeat. */
const CLOSE_TIMEOUT_HEARTBEATS = 0.25;
const MAX_CLOSE_TIMEOUT_MS = 2_000;

/** What the upgrade of a connection needs of the other themes. */
interface UpgradeNeeds {
  auth: AuthParts;
  directory: DirectoryParts;
  boot: BootParts;
  sockets: SocketParts;
  router: FrameRouter;
  typing: TypingHandler;
  presence: PresenceParts;
  rates: UserRates;
  shared: SharedAddresses;
  admission: Admission;
  windows: AddressWindows;
  announcer: Announcer<GatewayEntry>;
}

/** Lets clients in: addresses and their bounds, tickets, and what opens a connection. */
export function makeUpgrades(context: GatewayContext, needs: UpgradeNeeds) {
  const { env, logger, gatewayId, clock, wallClock, metrics, defects, answers, lanes } = context;
  const { auth, directory, boot, sockets, router, typing, rates, shared, admission } = needs;
  const wrongTickets = new WrongTickets(env.HTTP_RATE_PER_MINUTE, needs.windows, shared);
  const { watches } = needs.presence;
  const { table, writes, closer, close, presence, heartbeat } = sockets;
  const opener = new ConnectionOpener({
    gatewayId,
    heartbeatSeconds: env.HEARTBEAT_SECONDS,
    table,
    boot: boot.boot,
    routes: directory.routes,
    routeCloser: boot.routeCloser,
    tickets: auth.tickets,
    gate: auth.gate,
    writes,
    router,
    closer,
    presence,
    lanes,
    logger,
    rates: ratesInForce(env),
    wallClock,
  });
  const addresses = new ClientAddresses(env.TRUST_PROXY);
  const connections = new OpenConnections({
    inAll: env.MAX_CONNECTIONS + env.MAX_HTTP_CONNECTIONS,
    perAddress: env.ADDRESS_CONNECTIONS,
    socketsPerAddress: env.MAX_CONNECTIONS_PER_ADDRESS,
    addresses,
    shared,
    refused: (reason) => metrics.bounded.inc({ reason }),
  });
  const security = new SecurityLog(logger);
  const tickets = new SocketTickets(gatewayId, auth.tickets, auth.gate, security);
  const server = new SocketServer({
    takeTicket: async (ticket, address) => {
      const owner = await wrongTickets.bounded(address, () => tickets.take(ticket, address));
      await rates.require(owner, SOCKET_COSTS);
      return owner;
    },
    wrongTicket: (address) =>
      wrongTickets.bounded(address, () => Promise.reject(new TidingsError('unauthorized'))),
    addresses,
    connections,
    allowedOrigins: env.ALLOWED_ORIGINS,
    maxConnections: env.MAX_CONNECTIONS,
    admission,
    isListed: () => needs.announcer.problem() === null,
    frames: frameRate(env),
    closeTimeoutMs: closeTimeoutMs(env),
    table,
    router,
    opened: (connection) => {
      heartbeat.watch(connection);
      return opener.open(connection);
    },
    closed: (connection, code) => {
      closer.closed(connection, code);
      typing.closed(connection);
      watches.closed(connection);
    },
    close,
    failed: (connection, error) => {
      if (connection) sockets.failed(connection, error);
      else defects.note('upgrade', error);
    },
    refused: (error) => {
      // `failed` has heard of the others
      if (error.code !== 'internal') answers.noteOften(UPGRADE, error);
    },
    clock,
  });
  return { addresses, connections, server };
}

function frameRate({ RATE_LIMITS }: GatewayEnv): { perSecond: number; burst: number } {
  const { perMinute, burst } = RATE_LIMITS.frame;
  return { perSecond: perMinute / 60, burst };
}

function closeTimeoutMs({ HEARTBEAT_SECONDS }: GatewayEnv): number {
  return Math.min(MAX_CLOSE_TIMEOUT_MS, HEARTBEAT_SECONDS * 1000 * CLOSE_TIMEOUT_HEARTBEATS);
}
