import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] last generation of the device
 * ARGV[1] time to live, ms
 * Returns max(last + 1, Redis' time in µs), and stores it.
 */
const script = new Script(
  'next-generation',
  `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local next = string.format('%.0f', math.max(last + 1, now))
redis.call('SET', KEYS[1], next, 'PX', ARGV[1])
return next
`,
);

/** The next connection generation of a device, decimal µs. */
export async function nextGeneration(
  client: RedisClient,
  generationKey: string,
  ttlMs: number,
): Promise<string> {
  return (await script.run(client, { keys: [generationKey], args: [ttlMs] })) as string;
}
