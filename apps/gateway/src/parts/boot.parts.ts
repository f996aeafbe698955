import { Boots } from '@tidings/common/redis/boots';
import { Announcer } from '@tidings/common/nodes/announcer';
import type { GatewayEntry } from '@tidings/common/redis/directory';
import { VERSION } from '@tidings/common/runtime/version';
import type { Admission } from '../rates/admission';
import type { AuthParts } from './auth.parts';
import type { GatewayContext } from '../gateway.context';
import type { SocketParts } from './socket.parts';
import { BootKeeper } from '../directory/boot-keeper';
import type { DirectoryParts } from './directory.parts';
import { RouteCloser } from '../socket/route-closer';
import { RouteKeeper } from '../socket/route-keeper';

export type BootParts = ReturnType<typeof makeBoot>;

/** This gateway's lease, its inbox, and the routes of its connections. */
export function makeBoot(
  context: GatewayContext,
  { logins, gate }: AuthParts,
  { routes, inboxes, lease }: DirectoryParts,
  { table, writes, close, closer, delivery, presence }: SocketParts,
  announcePresence: (stale: () => boolean) => Promise<void>,
) {
  const { gatewayId, backends, logger, defects, fatal } = context;
  const routeKeeper: RouteKeeper = new RouteKeeper({
    gatewayId,
    bootId: (): string => boot.bootId,
    rebooting: (): boolean => boot.isRebooting,
    routes,
    logins,
    isLoggedIn: (c) => gate.isValid(c.userId, c.deviceId, c.sessionGeneration),
    closeOf: (c) => gate.closeOf(c.userId, c.deviceId),
    table,
    writes,
    logger,
    close,
    written: (connection) => presence.openedAgain(connection),
  });
  const boot: BootKeeper = new BootKeeper({
    gatewayId,
    redis: backends.redis,
    blockingRedis: backends.blockingRedis,
    lease,
    boots: new Boots(backends.redis),
    logger,
    deliver: (payload) => delivery.take(payload),
    setAside: (error, n) => defects.note('entry', error, { n }),
    announceRoutes: async (stale) => {
      await routeKeeper.announce(stale);
      await announcePresence(stale);
    },
    fatal,
  });
  const routeCloser = new RouteCloser({
    gatewayId,
    isOwnBoot: (bootId) => boot.isOwn(bootId),
    table,
    closer,
    inboxes,
    logger,
  });
  return { routeKeeper, boot, routeCloser };
}

/** Says that the gateway is there. */
export function makeAnnouncer(
  { gatewayId, env, logger, registry, problems, loopDelay, lanes }: GatewayContext,
  { listing }: DirectoryParts,
  { table }: SocketParts,
  { boot }: BootParts,
  admission: Pick<Admission, 'rate'>,
): Announcer<GatewayEntry> {
  return new Announcer({
    directory: listing,
    nodeId: gatewayId,
    isReady: () => Object.keys(problems()).length === 0,
    facts: () => ({
      service: 'gateway',
      id: gatewayId,
      bootId: boot.bootId,
      version: VERSION,
      connections: table.size,
      capacity: env.MAX_CONNECTIONS,
      loopDelayMs: loopDelay.p99Ms,
      connectsPerSecond: admission.rate,
      shedding: lanes.shedding,
    }),
    logger,
    metrics: registry,
  });
}
