import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] lease  [2] dead mark of the boot id
 * ARGV[1] boot id  [2] time to live, ms
 * Returns 1 when the boot id holds the lease and is not marked dead; else 0.
 */
const script = new Script(
  'renew-lease',
  `
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
);

/** Prolongs a lease for its holder. */
export async function renewLease(
  client: RedisClient,
  keys: { leaseKey: string; deadKey: string },
  lease: { bootId: string; ttlMs: number },
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [keys.leaseKey, keys.deadKey],
    args: [lease.bootId, lease.ttlMs],
  });
  return reply === 1;
}
