import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] hash
 * ARGV[1] field  [2] value
 * Returns 1 when the field still had this value, and is deleted; else 0.
 */
const script = new Script(
  'forget-entry',
  `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
return redis.call('HDEL', KEYS[1], ARGV[1])
`,
);

/** Deletes a field of a hash unless it was written meanwhile. */
export async function forgetEntry(
  client: RedisClient,
  key: string,
  field: string,
  value: string,
): Promise<boolean> {
  return (await script.run(client, { keys: [key], args: [field, value] })) === 1;
}
