import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] routing data of a conversation
 * ARGV[1] version  [2] version of its blocks  [3] value, beginning with both (see keys.ts)
 * ARGV[4] time to live, ms
 * Returns 1 when written; 0 when a higher version is stored.
 */
const script = new Script(
  'put-members',
  `
local head = redis.call('GETRANGE', KEYS[1], 0, 40)
local version, blocks = string.match(head, '^(%d+)%.?(%d*)')
if version then
  local ahead = tonumber(version) - tonumber(ARGV[1])
  if ahead > 0 or (ahead == 0 and (tonumber(blocks) or 0) > tonumber(ARGV[2])) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
`,
);

/** Stores routing data unless a higher version is stored. */
export async function putMembers(
  client: RedisClient,
  membersKey: string,
  routing: { version: number; blocksVersion: number; value: string; ttlMs: number },
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [membersKey],
    args: [routing.version, routing.blocksVersion, routing.value, routing.ttlMs],
  });
  return reply === 1;
}
