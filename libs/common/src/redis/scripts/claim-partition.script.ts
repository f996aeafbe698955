import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] who keeps presence of a partition
 * ARGV[1] since when what is stored is whole when nothing says so, ms; 'now'
 * ARGV[2] '1': what is stored may lack something from now on
 * Returns {term, since}.
 */
const script = new Script(
  'claim-partition',
  `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowMs = string.format('%.0f', math.floor(now / 1000))
local stored = redis.call('HMGET', KEYS[1], 'term', 'since')
local term = string.format('%.0f', math.max((stored[1] or 0) + 1, now))
local since = stored[2] or ARGV[1]
if since == 'now' or ARGV[2] == '1' then
  since = nowMs
end
redis.call('HSET', KEYS[1], 'term', term, 'since', since)
return {term, since}
`,
);

/** Claims a partition from whoever had it. */
export async function claimPartition(
  client: RedisClient,
  keeperKey: string,
  claim: { sinceMs: number | 'now'; doubtful: boolean },
): Promise<{ term: string; sinceMs: number }> {
  const args = [claim.sinceMs, claim.doubtful ? '1' : '0'];
  const [term, since] = (await script.run(client, { keys: [keeperKey], args })) as [string, string];
  return { term, sinceMs: Number(since) };
}
