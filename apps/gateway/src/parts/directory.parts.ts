import { AccountNews } from '@tidings/common/redis/account-news';
import { GatewayDirectory } from '@tidings/common/redis/directory';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { GatewayLease } from '@tidings/common/redis/lease';
import { Routes } from '@tidings/common/redis/routes';
import { clusterMac } from '@tidings/common/rpc/credentials';
import type { AuthParts } from './auth.parts';
import type { GatewayContext } from '../gateway.context';
import { DevicePresence } from '../directory/device-presence';
import { DirectoryService } from '../directory/directory.service';

export type DirectoryParts = ReturnType<typeof makeDirectory>;

/** Which gateways there are, and who is connected where. */
export function makeDirectory(context: GatewayContext, { tickets }: AuthParts) {
  const { env, backends, gatewayId, logger } = context;
  const { redis } = backends;
  const mac = (parts: readonly string[]): string => clusterMac(env.CLUSTER_SECRET, parts);
  const listing = new GatewayDirectory(redis, { mac });
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
      directory: listing,
      tickets,
      random: Math.random,
    }),
    news: new AccountNews({ routes, inboxes, logger }),
    devicePresence: new DevicePresence(routes, lease),
  };
}
