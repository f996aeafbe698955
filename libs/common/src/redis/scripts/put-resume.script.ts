import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] resume ticket of the device
 * ARGV[1] hash of the ticket  [2] grant  [3] time to live, ms
 */
const script = new Script(
  'put-resume',
  `
redis.call('HSET', KEYS[1], 'hash', ARGV[1], 'grant', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
`,
);

/** Stores a device's resume ticket in place of the previous one. */
export async function putResume(
  client: RedisClient,
  resumeKey: string,
  ticket: { hash: string; grant: string },
  ttlMs: number,
): Promise<void> {
  await script.run(client, { keys: [resumeKey], args: [ticket.hash, ticket.grant, ttlMs] });
}
