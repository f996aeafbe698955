import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] clocks to be kept
 * ARGV pairs of member and score: taken out when the score is still the same
 */
const script = new Script(
  'forget-clock',
  `
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return 1
`,
);

/**
 * Removes users whose clocks are saved, unless these have risen since. Scores as Redis wrote them.
 */
export async function forgetClocks(
  client: RedisClient,
  clocksKey: string,
  kept: readonly { member: string; score: string }[],
): Promise<void> {
  await script.run(client, {
    keys: [clocksKey],
    args: kept.flatMap(({ member, score }) => [member, score]),
  });
}
