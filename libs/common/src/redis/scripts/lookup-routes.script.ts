import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS    routes of users
 * Returns for each key its hash, flat: {device id, route, device id, route, …}.
 *
 * It only reads. On a single Redis it takes many keys, a third of the cost of one command each;
 * on a Redis Cluster it is given one key per call (the slot rule of keys.ts).
 */
const script = new Script(
  'lookup-routes',
  `
local found = {}
for i = 1, #KEYS do
  found[i] = redis.call('HGETALL', KEYS[i])
end
return found
`,
);

/** The routes of each key, as flat pairs of device id and route, in one round trip. */
export async function lookupRoutes(
  client: RedisClient,
  routesKeys: readonly string[],
  keysPerCall: number,
): Promise<string[][]> {
  const calls = [];
  for (let at = 0; at < routesKeys.length; at += keysPerCall) {
    calls.push({ keys: routesKeys.slice(at, at + keysPerCall), args: [] });
  }
  const replies = (await script.runEach(client, calls)) as string[][][];
  return replies.length === 1 ? replies[0]! : replies.flat();
}
