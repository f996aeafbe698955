import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] presence of a user
 * ARGV[1] stamp of the state that this one comes behind; '0': there is none  [2] state
 * ARGV[3] '1': what others are told changes  [4] time to live, ms; 0: none
 * Returns the version of what others are told; false when another state is stored.
 *
 * Stamp and version are µs of Redis' clock, and rise. So what was read at a time is older than each
 * version above it, and a stamp never comes again, even when Redis was emptied meanwhile.
 */
const script = new Script(
  'put-presence',
  `
local stored = redis.call('HMGET', KEYS[1], 'stamp', 'version')
local stamp = stored[1] or '0'
if stamp ~= ARGV[1] then
  return false
end
local version = stored[2] or '0'
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if ARGV[3] == '1' then
  version = string.format('%.0f', math.max(version + 1, now))
end
stamp = string.format('%.0f', math.max(stamp + 1, now))
redis.call('HSET', KEYS[1], 'stamp', stamp, 'version', version, 'state', ARGV[2])
if ARGV[4] == '0' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return version
`,
);

export interface PutPresenceCall {
  presenceKey: string;
  stamp: string;
  state: string;
  tells: boolean;
  ttlMs: number;
}

/** Stores states where nothing else was stored since they were read; null: something was. */
export async function putPresence(
  client: RedisClient,
  calls: readonly PutPresenceCall[],
): Promise<(number | null)[]> {
  const replies = await script.runEach(
    client,
    calls.map(({ presenceKey, stamp, state, tells, ttlMs }) => ({
      keys: [presenceKey],
      args: [stamp, state, tells ? '1' : '0', ttlMs],
    })),
  );
  return replies.map((reply) => (reply === null ? null : Number(reply)));
}
