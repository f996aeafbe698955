import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] logins of the user
 * ARGV[1] device id  [2] generation  [3] time to live, ms  [4] field of the end  [5] the end, or empty
 * Returns the higher of the stored and the given generation, and stores it; with the end of the login
 * before it, where one is given.
 */
const script = new Script(
  'raise-login',
  `
local stored = redis.call('HGET', KEYS[1], ARGV[1])
local highest = ARGV[2]
if stored and tonumber(stored) >= tonumber(ARGV[2]) then
  highest = stored
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
if ARGV[5] ~= '' and highest == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return highest
`,
);

/** Raises a device's login generation. Returns the one that is stored now. */
export async function raiseLogin(
  client: RedisClient,
  loginsKey: string,
  login: {
    deviceId: string;
    generation: number;
    ttlMs: number;
    end: { field: string; value: string };
  },
): Promise<number> {
  const { deviceId, generation, ttlMs, end } = login;
  const stored = await script.run(client, {
    keys: [loginsKey],
    args: [deviceId, generation, ttlMs, end.field, end.value],
  });
  return Number(stored);
}
