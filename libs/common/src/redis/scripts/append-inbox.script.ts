import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] inbox stream  [2] its counters
 * ARGV[1] payload  [2] most entries  [3] most bytes waiting
 * Returns 1 appended; 0 there is no such inbox; -1 full: the number is used up without an entry, so
 * that the reader sees the hole.
 */
const script = new Script(
  'append-inbox',
  `
local counters = redis.call('HMGET', KEYS[2], 'n', 'in', 'out')
if not counters[1] or redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local n = string.format('%.0f', counters[1] + 1)
local bytes = counters[2] + #ARGV[1]
if bytes - counters[3] > tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[2], 'n', n)
  return -1
end
local upto = string.format('%.0f', bytes)
redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], n .. '-0', upto, ARGV[1])
redis.call('HSET', KEYS[2], 'n', n, 'in', upto)
return 1
`,
);

export interface AppendInboxCall {
  streamKey: string;
  countersKey: string;
  payload: string | Buffer;
}

/** Appends payloads, in order, in one round trip. */
export async function appendInbox(
  client: RedisClient,
  calls: readonly AppendInboxCall[],
  most: { entries: number; bytes: number },
): Promise<('ok' | 'gone' | 'full')[]> {
  const replies = await script.runEach(
    client,
    calls.map(({ streamKey, countersKey, payload }) => ({
      keys: [streamKey, countersKey],
      args: [payload, most.entries, most.bytes],
    })),
  );
  return replies.map((reply) => (reply === 1 ? 'ok' : reply === 0 ? 'gone' : 'full'));
}
