import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] sessions of the user
 * ARGV[1] device id  [2] generation  [3] time to live, ms
 * Returns the higher of the stored and the given generation, and stores it.
 */
const script = new Script(
  'raise-session',
  `
local stored = redis.call('HGET', KEYS[1], ARGV[1])
local highest = ARGV[2]
if stored and tonumber(stored) >= tonumber(ARGV[2]) then
  highest = stored
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return highest
`,
);

/** Raises a device's session generation; the result is the one stored now. */
export async function raiseSession(
  client: RedisClient,
  sessionsKey: string,
  session: { deviceId: string; generation: number; ttlMs: number },
): Promise<number> {
  const stored = await script.run(client, {
    keys: [sessionsKey],
    args: [session.deviceId, session.generation, session.ttlMs],
  });
  return Number(stored);
}
