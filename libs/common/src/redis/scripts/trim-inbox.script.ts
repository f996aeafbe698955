import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] inbox stream  [2] its counters
 * ARGV[1] first number to keep  [2] bytes up to the last one handed on  [3] time to live, ms
 * Returns 1; 0 when there is no such inbox.
 */
const script = new Script(
  'trim-inbox',
  `
if redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1] .. '-0')
redis.call('HSET', KEYS[2], 'out', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
`,
);

/** Drops what was handed on and keeps the inbox alive; false when there is no such inbox. */
export async function trimInbox(
  client: RedisClient,
  keys: { streamKey: string; countersKey: string },
  handed: { firstKept: number; bytes: string },
  ttlMs: number,
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [keys.streamKey, keys.countersKey],
    args: [handed.firstKept, handed.bytes, ttlMs],
  });
  return reply === 1;
}
