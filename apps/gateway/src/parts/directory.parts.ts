import { AccountNews } from '@tidings/common/redis/account-news';
import { Directory, GATEWAYS } from '@tidings/common/redis/directory';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { GatewayLease } from '@tidings/common/redis/lease';
import { Routes } from '@tidings/common/redis/routes';
import { VisibilityNews } from '@tidings/common/redis/visibility-news';
import { Watchers } from '@tidings/common/redis/watchers';
import { clusterMac } from '@tidings/common/rpc/credentials';
import type { AuthParts } from './auth.parts';
import type { GatewayContext } from '../gateway.context';
import { DevicePresence } from '../directory/device-presence';
import { DirectoryService } from '../directory/directory.service';

export type DirectoryParts = ReturnType<typeof makeDirectory>;

/** Which gateways there are, and who is connected where. */
export function makeDirectory(context: GatewayContext, { tickets }: AuthParts) {
  const { env, backends, gatewayId, logger, directories, wallClock } = context;
  const { redis } = backends;
  const mac = (parts: readonly string[]): string => clusterMac(env.CLUSTER_SECRET, parts);
  const listing = new Directory(redis, GATEWAYS, {
    mac,
    refused: directories.of('gateways'),
    wallClock,
  });
  const routes = new Routes(redis);
  const inboxes = new InboxWriter(redis);
  const lease = new GatewayLease(redis);
  return {
    listing,
    routes,
    inboxes,
    lease,
    directory: new DirectoryService({
      gatewayId,
      heartbeatSeconds: env.HEARTBEAT_SECONDS,
      ticketSeconds: env.TICKET_SECONDS,
      backoff: { baseMs: env.BACKOFF_BASE_MS, maxMs: env.BACKOFF_MAX_MS },
      directory: listing,
      tickets,
      random: Math.random,
    }),
    news: new AccountNews({ routes, inboxes, logger }),
    visibility: new VisibilityNews({ routes, watchers: new Watchers(redis), inboxes, logger }),
    devicePresence: new DevicePresence(routes, lease),
  };
}
