import type { RedisClient } from '../client';
import { Script, type ScriptCall } from './script';

/*
 * KEYS[1] marks of a partition
 * ARGV[1] time to live, ms  [2] most marks  [3…] next, time (ms) and from of each mark, rising
 * A mark that does not lie above the last one is left out: its records were routed before.
 */
const script = new Script(
  'add-routed',
  `
for i = 3, #ARGV, 3 do
  local reply = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2],
                            ARGV[i] .. '-' .. ARGV[i + 1], 'f', ARGV[i + 2])
  if type(reply) == 'table' and reply.err and not string.find(reply.err, 'equal or smaller') then
    return reply
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`,
);

/** Adds marks to partitions, in one round trip. */
export async function addRouted(client: RedisClient, calls: readonly ScriptCall[]): Promise<void> {
  await script.runEach(client, calls);
}
