import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] lease  [2] dead mark of the boot id
 * ARGV[1] boot id  [2] time to live of the mark, ms
 * Returns 1 when the boot id does not hold the lease, and is marked; else 0.
 */
const script = new Script(
  'mark-boot-dead',
  `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
return 1
`,
);

/** Marks a boot id dead unless it holds the lease. */
export async function markBootDead(
  client: RedisClient,
  keys: { leaseKey: string; deadKey: string },
  boot: { bootId: string; ttlMs: number },
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [keys.leaseKey, keys.deadKey],
    args: [boot.bootId, boot.ttlMs],
  });
  return reply === 1;
}
