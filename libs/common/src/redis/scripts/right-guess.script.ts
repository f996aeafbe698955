import type { RedisClient } from '../client';
import { Script } from './script';
import { type GuessKeys, listOf } from './take-guess.script';

/*
 * KEYS[1] known networks of the account  [2] the lane  [3] the strangers' lane
 *     [4] what became of the guess with this id; left out: it has none
 * ARGV[1] network  [2] 1: the strangers' lane was charged  [3] interval of the strangers, ms
 *     [4] how many networks are kept  [5] time to live of the networks, ms
 * Empties the lane, gives the strangers back what was taken, once, and keeps the network as known.
 */
const script = new Script(
  'right-guess',
  `
redis.call('DEL', KEYS[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local charged = ARGV[2] == '1'
if KEYS[4] then
  charged = redis.call('GET', KEYS[4]) == '1'
  if charged then
    redis.call('SET', KEYS[4], '0', 'KEEPTTL')
  end
end
if charged then
  local tat = tonumber(redis.call('GET', KEYS[3]) or 0) - tonumber(ARGV[3])
  if tat > now then
    redis.call('SET', KEYS[3], string.format('%.0f', tat), 'PXAT', string.format('%.0f', tat))
  else
    redis.call('DEL', KEYS[3])
  end
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
`,
);

/** A counted guess was right. */
export async function rightGuess(
  client: RedisClient,
  keys: GuessKeys,
  guess: {
    network: string;
    stranger: boolean;
    strangersEveryMs: number;
    most: number;
    ttlMs: number;
  },
): Promise<void> {
  const { network, stranger, strangersEveryMs, most, ttlMs } = guess;
  await script.run(client, {
    keys: listOf(keys),
    args: [network, stranger ? 1 : 0, strangersEveryMs, most, ttlMs],
  });
}
