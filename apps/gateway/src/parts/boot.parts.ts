import type { AuthParts } from './auth.parts';
import type { GatewayContext } from '../gateway.context';
import type { SocketParts } from './socket.parts';
import { Announcer } from '../directory/announcer';
import { BootKeeper } from '../directory/boot-keeper';
import type { DirectoryParts } from './directory.parts';
import { RouteCloser } from '../socket/route-closer';
import { RouteKeeper } from '../socket/route-keeper';

export type BootParts = ReturnType<typeof makeBoot>;

/** This gateway's lease, its inbox, and the routes of its connections. */
export function makeBoot(
  context: GatewayContext,
  { sessions, gate }: AuthParts,
  { routes, inboxes, lease }: DirectoryParts,
  { table, writes, close, closer, delivery }: SocketParts,
) {
  const { gatewayId, backends, logger, defects, fatal } = context;
  const routeKeeper: RouteKeeper = new RouteKeeper({
    gatewayId,
    bootId: (): string => boot.bootId,
    rebooting: (): boolean => boot.isRebooting,
    routes,
    sessions,
    isSession: (c) => gate.isValid(c.userId, c.deviceId, c.sessionGeneration),
    table,
    writes,
    logger,
    close,
  });
  const boot: BootKeeper = new BootKeeper({
    gatewayId,
    redis: backends.redis,
    blockingRedis: backends.blockingRedis,
    lease,
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
    inboxes,
    logger,
  });
  return { routeKeeper, boot, routeCloser };
}

/** Says at this address that the gateway is there. */
export function makeAnnouncer(
  { gatewayId, env }: GatewayContext,
  { listing }: DirectoryParts,
  { table }: SocketParts,
  { boot }: BootParts,
  url: string,
): Announcer {
  return new Announcer(listing, gatewayId, () => ({
    gatewayId,
    bootId: boot.bootId,
    url,
    connections: table.size,
    capacity: env.MAX_CONNECTIONS,
    draining: false,
    at: Date.now(),
  }));
}
