import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] inbox stream  [2] its counters
 * ARGV[1] first number to keep  [2] bytes up to the last one handed on  [3] time to live, ms
 * Returns the number of the last entry; -1 when there is no such inbox.
 */
const script = new Script(
  'trim-inbox',
  `
local n = redis.call('HGET', KEYS[2], 'n')
if not n then
  return -1
end
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1] .. '-0')
redis.call('HSET', KEYS[2], 'out', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return tonumber(n)
`,
);

/**
 * Drops what was handed on and keeps the inbox alive. The number of the last entry that was written; null
 * when there is no such inbox.
 */
export async function trimInbox(
  client: RedisClient,
  keys: { streamKey: string; countersKey: string },
  handed: { firstKept: number; bytes: string },
  ttlMs: number,
): Promise<number | null> {
  const reply = await script.run(client, {
    keys: [keys.streamKey, keys.countersKey],
    args: [handed.firstKept, handed.bytes, ttlMs],
  });
  return Number(reply) < 0 ? null : Number(reply);
}
