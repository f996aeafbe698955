import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] the count of a window
 * ARGV[1] hits to add, 0: none  [2] length of a window that begins now, ms
 * Returns the hits of the window with these, and the milliseconds until it ends.
 */
const script = new Script(
  'count-hit',
  `
local hits = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > 0 then
  hits = redis.call('INCRBY', KEYS[1], ARGV[1])
  if hits == tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return {hits, redis.call('PTTL', KEYS[1])}
`,
);

/** Hits in a window, and what is left of it in milliseconds. */
export interface Hits {
  hits: number;
  leftMs: number;
}

/** Counts hits in a window that starts with the first one. */
export async function countHit(
  client: RedisClient,
  key: string,
  add: number,
  windowMs: number,
): Promise<Hits> {
  const [hits, left] = (await script.run(client, { keys: [key], args: [add, windowMs] })) as [
    number,
    number,
  ];
  return { hits, leftMs: left > 0 ? left : windowMs };
}
