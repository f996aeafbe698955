import type { RedisClient } from '../client';
import { Script, type ScriptCall } from './script';

/*
 * KEYS[1] routes of the user
 * ARGV[1] device id  [2] route `gatewayId|bootId|connectionId|generation`
 * ARGV[3] gateway id  [4] connection id  [5] generation  [6] time to live, ms
 * Returns {1, replaced route or false} when written, {0, route in the way} when not.
 */
const script = new Script(
  'put-route',
  `
local stored = redis.call('HGET', KEYS[1], ARGV[1])
local replaced = false
if stored then
  local gateway, connection, generation = string.match(stored, '^([^|]*)|[^|]*|([^|]*)|(%d+)$')
  local ahead = generation and tonumber(generation) - tonumber(ARGV[5]) or -1
  local same = ahead == 0 and gateway == ARGV[3] and connection == ARGV[4]
  if ahead >= 0 and not same then
    return {0, stored}
  end
  replaced = not same and stored
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {1, replaced}
`,
);

export interface PutRouteCall {
  routesKey: string;
  deviceId: string;
  route: string;
  gatewayId: string;
  connectionId: string;
  generation: string;
  ttlMs: number;
}

/**
 * Writes routes where no newer one is stored. `other`: the replaced route, or the one in the way.
 */
export async function putRoutes(
  client: RedisClient,
  calls: readonly PutRouteCall[],
): Promise<{ written: boolean; other: string | null }[]> {
  const replies = await script.runEach(client, calls.map(toCall));
  return (replies as [number, string | null][]).map(([written, other]) => ({
    written: written === 1,
    other,
  }));
}

function toCall(call: PutRouteCall): ScriptCall {
  const { deviceId, route, gatewayId, connectionId, generation, ttlMs } = call;
  return {
    keys: [call.routesKey],
    args: [deviceId, route, gatewayId, connectionId, generation, ttlMs],
  };
}
