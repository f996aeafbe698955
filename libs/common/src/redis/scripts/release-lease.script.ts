import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] lease
 * ARGV[1] value
 * Returns 1 when the lease had this value, and it is deleted; else 0.
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

/** Deletes a lease for its holder, whose value it has. */
export async function releaseLease(
  client: RedisClient,
  leaseKey: string,
  value: string,
): Promise<boolean> {
  return (await script.run(client, { keys: [leaseKey], args: [value] })) === 1;
}
