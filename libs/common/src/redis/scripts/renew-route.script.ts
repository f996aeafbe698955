import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] routes of the user  [2] resume ticket of the device
 * ARGV[1] device id  [2] route  [3] time to live of the routes, ms  [4] of the resume ticket, ms
 * Returns 1 when the stored route is equal, and renewed; else 0.
 */
const script = new Script(
  'renew-route',
  `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
`,
);

export interface RenewRouteCall {
  routesKey: string;
  resumeKey: string;
  deviceId: string;
  route: string;
}

/** Renews routes that are stored exactly so, each with its device's resume ticket. */
export async function renewRoutes(
  client: RedisClient,
  calls: readonly RenewRouteCall[],
  ttl: { routesMs: number; resumeMs: number },
): Promise<boolean[]> {
  const replies = await script.runEach(
    client,
    calls.map((call) => ({
      keys: [call.routesKey, call.resumeKey],
      args: [call.deviceId, call.route, ttl.routesMs, ttl.resumeMs],
    })),
  );
  return replies.map((reply) => reply === 1);
}
