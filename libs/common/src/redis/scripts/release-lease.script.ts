import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] lease
 * ARGV[1] boot id
 * Returns 1 when the boot id held the lease, and it is deleted; else 0.
 */
const script = new Script(
  'release-lease',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
`,
);

/** Deletes a lease for its holder. */
export async function releaseLease(
  client: RedisClient,
  leaseKey: string,
  bootId: string,
): Promise<boolean> {
  return (await script.run(client, { keys: [leaseKey], args: [bootId] })) === 1;
}
