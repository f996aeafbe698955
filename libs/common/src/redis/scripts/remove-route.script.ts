import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] routes of the user  [2] resume ticket of the device
 * ARGV[1] device id  [2] route  [3] remaining life of the resume ticket, ms
 * Returns 1 when the stored route was equal, and is deleted; else 0.
 */
const script = new Script(
  'remove-route',
  `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
`,
);

/** Deletes routes that are stored exactly so; their devices' resume tickets live on for `resumeMs`. */
export async function removeRoutes(
  client: RedisClient,
  calls: readonly { routesKey: string; resumeKey: string; deviceId: string; route: string }[],
  resumeMs: number,
): Promise<boolean[]> {
  const replies = await script.runEach(
    client,
    calls.map(({ routesKey, resumeKey, deviceId, route }) => ({
      keys: [routesKey, resumeKey],
      args: [deviceId, route, resumeMs],
    })),
  );
  return replies.map((reply) => reply === 1);
}
