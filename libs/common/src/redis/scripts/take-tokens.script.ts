import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] the bucket: the time at which it is full again, ms of Redis' clock; absent: it is full
 * ARGV[1] ms per token  [2] burst  [3] tokens wanted, below zero: given back  [4] 1: all or none
 * Returns tokens taken, ms until the bucket is full, ms until what was wanted can be had (0: taken).
 * The generic cell rate algorithm (ITU-T I.371); `grantTokens` of the gateway is the same in memory.
 */
const script = new Script(
  'take-tokens',
  `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local per, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local there = math.floor(burst - (full - now) / per + 0.001)
local taken = math.min(wanted, math.max(there, 0))
if wanted > 0 and (taken == 0 or (ARGV[4] == '1' and taken < wanted)) then
  local least = ARGV[4] == '1' and wanted or 1
  local wait = math.max(full - now + (least - burst) * per, 1)
  return {0, string.format('%.3f', full - now), string.format('%.3f', wait)}
end
full = math.max(full + taken * per, now)
if full > now then
  redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now))
else
  redis.call('DEL', KEYS[1])
end
return {taken, string.format('%.3f', full - now), '0'}
`,
);

/** What a bucket granted. */
export interface Grant {
  taken: number;
  /** Until the bucket is full again, in milliseconds. */
  fullInMs: number;
  /** Until what was requested can be had, in milliseconds; 0: it was taken. */
  waitMs: number;
}

/** Takes tokens from a bucket: as many as there are, or all or nothing. */
export async function takeTokens(
  client: RedisClient,
  bucketKey: string,
  order: { msPerToken: number; burst: number; wanted: number; all: boolean },
): Promise<Grant> {
  const { msPerToken, burst, wanted, all } = order;
  const [taken, fullInMs, waitMs] = (await script.run(client, {
    keys: [bucketKey],
    args: [msPerToken, burst, wanted, all ? 1 : 0],
  })) as [number, string, string];
  return { taken, fullInMs: Number(fullInMs), waitMs: Number(waitMs) };
}
