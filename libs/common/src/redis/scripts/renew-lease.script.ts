import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] lease  [2] dead mark of the boot id  [3] its last sign of life
 * ARGV[1] boot id  [2] time to live, ms  [3] of the sign of life, ms
 * Returns 1 when the boot id holds the lease and is not marked dead; else 0.
 */
const script = new Script(
  'renew-lease',
  `
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[3], now, 'PX', ARGV[3])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
);

/** Renews a lease for its holder. */
export async function renewLease(
  client: RedisClient,
  keys: { leaseKey: string; deadKey: string; aliveKey: string },
  lease: { bootId: string; ttlMs: number; aliveMs: number },
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [keys.leaseKey, keys.deadKey, keys.aliveKey],
    args: [lease.bootId, lease.ttlMs, lease.aliveMs],
  });
  return reply === 1;
}
