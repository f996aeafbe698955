import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] who keeps presence of the partition  [2] dues  [3] users by boot  [4] clocks to be kept  [5] changes to be told
 * ARGV[1] term  [2] number of entries; each entry: key number, score ('': take out), member
 * Returns 1; 0 when another one keeps the partition; -1 when nobody does: Redis was emptied.
 */
const script = new Script(
  'index-presence',
  `
local term = redis.call('HGET', KEYS[1], 'term')
if not term then
  return -1
end
if term ~= ARGV[1] then
  return 0
end
for i = 3, 2 + 3 * ARGV[2], 3 do
  local key = KEYS[tonumber(ARGV[i])]
  if ARGV[i + 1] == '' then
    redis.call('ZREM', key, ARGV[i + 2])
  else
    redis.call('ZADD', key, ARGV[i + 1], ARGV[i + 2])
  end
end
return 1
`,
);

/** One change of an index. `score` null: the member is removed. */
export interface IndexEntry {
  index: 'due' | 'boots' | 'clocks' | 'untold';
  member: string;
  score: number | null;
}

const KEY_OF = { due: 2, boots: 3, clocks: 4, untold: 5 } as const;

/** Changes the indexes of a partition in one step, for the process that keeps it. */
export async function indexPresence(
  client: RedisClient,
  keys: Record<'keeperKey' | 'dueKey' | 'bootsKey' | 'clocksKey' | 'untoldKey', string>,
  term: string,
  entries: readonly IndexEntry[],
): Promise<'ok' | 'other' | 'nobody'> {
  const reply = await script.run(client, {
    keys: [keys.keeperKey, keys.dueKey, keys.bootsKey, keys.clocksKey, keys.untoldKey],
    args: [
      term,
      entries.length,
      ...entries.flatMap(({ index, score, member }) => [KEY_OF[index], score ?? '', member]),
    ],
  });
  return reply === 1 ? 'ok' : reply === 0 ? 'other' : 'nobody';
}
