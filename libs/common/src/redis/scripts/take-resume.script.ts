import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] resume ticket of the device
 * ARGV[1] hash of the ticket
 * Returns the grant, deleted, when the hash is equal; else false.
 */
const script = new Script(
  'take-resume',
  `
local stored = redis.call('HMGET', KEYS[1], 'hash', 'grant')
if stored[1] ~= ARGV[1] then
  return false
end
redis.call('DEL', KEYS[1])
return stored[2]
`,
);

/** Takes a resume ticket: the grant as JSON, or null. */
export async function takeResume(
  client: RedisClient,
  resumeKey: string,
  hash: string,
): Promise<string | null> {
  return (await script.run(client, { keys: [resumeKey], args: [hash] })) as string | null;
}
