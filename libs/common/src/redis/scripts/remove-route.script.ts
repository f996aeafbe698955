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

/** Deletes a route that is stored exactly so; its device's resume ticket lives on for `resumeMs`. */
export async function removeRoute(
  client: RedisClient,
  call: { routesKey: string; resumeKey: string; deviceId: string; route: string },
  resumeMs: number,
): Promise<boolean> {
  const reply = await script.run(client, {
    keys: [call.routesKey, call.resumeKey],
    args: [call.deviceId, call.route, resumeMs],
  });
  return reply === 1;
}
