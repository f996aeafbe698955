import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] inbox stream  [2] its counters
 * ARGV[1] time to live, ms
 * Makes both anew and empty. An empty stream is made by adding an entry and taking it away.
 */
const script = new Script(
  'create-inbox',
  `
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('XADD', KEYS[1], '0-1', '0', '')
redis.call('XDEL', KEYS[1], '0-1')
redis.call('HSET', KEYS[2], 'n', 0, 'in', 0, 'out', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
`,
);

/** Creates an empty inbox. Whatever was under these keys is lost. */
export async function createInbox(
  client: RedisClient,
  keys: { streamKey: string; countersKey: string },
  ttlMs: number,
): Promise<void> {
  await script.run(client, { keys: [keys.streamKey, keys.countersKey], args: [ttlMs] });
}
