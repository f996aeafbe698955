import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] gateways that watch a user
 * ARGV[1] gateway and boot  [2] time to live, ms
 */
const script = new Script(
  'keep-watchers',
  `
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`,
);

/** Adds a gateway to the sets of its watched users, in one round trip. */
export async function keepWatchers(
  client: RedisClient,
  watchersKeys: readonly string[],
  member: string,
  ttlMs: number,
): Promise<void> {
  const args = [member, ttlMs];
  await script.runEach(
    client,
    watchersKeys.map((key) => ({ keys: [key], args })),
  );
}
