import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] known networks of the account  [2] the lane  [3] the strangers' lane
 *     [4] what became of a guess with this id; left out: it has none
 * ARGV[1] network, or '' for a lane that is no stranger's
 *     [2] burst of a lane  [3] its interval, ms  [4] burst of the strangers  [5] their interval, ms
 *     [6] time to live of KEYS[4], ms
 * GCRA (ITU-T I.371) by Redis' own clock, in both lanes or in none; a guess that comes again is not
 * counted again. Returns 0 and whether the strangers' lane was charged (1), or how long to wait, ms.
 */
const script = new Script(
  'take-guess',
  `
local before = KEYS[4] and redis.call('GET', KEYS[4])
if before then
  return {0, tonumber(before)}
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function look(key, burst, every)
  local tat = tonumber(redis.call('GET', key) or now)
  if tat < now then
    tat = now
  end
  return tat + every, tat + every - burst * every - now
end
local tat, wait = look(KEYS[2], tonumber(ARGV[2]), tonumber(ARGV[3]))
local stranger = ARGV[1] ~= '' and not redis.call('ZSCORE', KEYS[1], ARGV[1])
local all, longer
if stranger then
  all, longer = look(KEYS[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
  wait = math.max(wait, longer)
end
if wait > 0 then
  return {wait, 0}
end
redis.call('SET', KEYS[2], string.format('%.0f', tat), 'PXAT', string.format('%.0f', tat))
if stranger then
  redis.call('SET', KEYS[3], string.format('%.0f', all), 'PXAT', string.format('%.0f', all))
end
if KEYS[4] then
  redis.call('SET', KEYS[4], stranger and '1' or '0', 'PX', ARGV[6])
end
return {0, stranger and 1 or 0}
`,
);

/** The keys of an account that a guess changes; `taken` for guesses with an id. */
export interface GuessKeys {
  known: string;
  lane: string;
  strangers: string;
  taken: string | null;
}

/** In the form that both scripts take. */
export function listOf({ known, lane, strangers, taken }: GuessKeys): string[] {
  return [known, lane, strangers, ...(taken === null ? [] : [taken])];
}

/** Counts a guess. `waitMs` above 0: it was one too many. */
export async function takeGuess(
  client: RedisClient,
  keys: GuessKeys,
  guess: {
    network: string | null;
    lane: { burst: number; everyMs: number };
    strangers: { burst: number; everyMs: number };
    takenMs: number;
  },
): Promise<{ waitMs: number; stranger: boolean }> {
  const { network, lane, strangers, takenMs } = guess;
  const [waitMs, stranger] = (await script.run(client, {
    keys: listOf(keys),
    args: [network ?? '', lane.burst, lane.everyMs, strangers.burst, strangers.everyMs, takenMs],
  })) as [number, number];
  return { waitMs, stranger: stranger === 1 };
}
