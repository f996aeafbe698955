import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] routing data of a conversation
 * ARGV[1] version  [2] value, beginning with the version  [3] time to live, ms
 * Returns 1 when written; 0 when a higher version is stored.
 */
const script = new Script(
  'put-members',
  `
local version = string.match(redis.call('GETRANGE', KEYS[1], 0, 20), '^%d+')
if version and tonumber(version) > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
`,
);

/** Stores routing data unless a higher version is there. */
export async function putMembers(
  client: RedisClient,
  membersKey: string,
  routing: { version: number; value: string; ttlMs: number },
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [membersKey],
    args: [routing.version, routing.value, routing.ttlMs],
  });
  return reply === 1;
}
