import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] lease  [2] dead mark of the boot id  [3] its last sign of life
 * ARGV[1] boot id  [2] boot id that may be replaced  [3] time to live, ms  [4] of the sign of life, ms
 * Returns the boot id that holds the lease now; false when ARGV[1] was marked dead.
 */
const script = new Script(
  'claim-lease',
  `
if redis.call('EXISTS', KEYS[2]) == 1 then
  return false
end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[2] then
  return holder
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[3], now, 'PX', ARGV[4])
return ARGV[1]
`,
);

/** Takes a lease that is free, or held by the same or the replaced boot id. Returns the holder. */
export async function claimLease(
  client: RedisClient,
  keys: { leaseKey: string; deadKey: string; aliveKey: string },
  claim: { bootId: string; replaces: string; ttlMs: number; aliveMs: number },
): Promise<string | null> {
  const holder = await script.run(client, {
    keys: [keys.leaseKey, keys.deadKey, keys.aliveKey],
    args: [claim.bootId, claim.replaces, claim.ttlMs, claim.aliveMs],
  });
  return holder as string | null;
}
