import type { RedisClient } from '../client';
import { Script } from './script';

/*
 * KEYS[1] ticket
 * ARGV[1] gateway id
 * Returns the grant, deleted, when it names this gateway; 'foreign' when it names others; false
 * when there is none.
 */
const script = new Script(
  'take-ticket',
  `
local grant = redis.call('GET', KEYS[1])
if not grant then
  return false
end
for _, gateway in ipairs(cjson.decode(grant).gatewayIds) do
  if gateway == ARGV[1] then
    redis.call('DEL', KEYS[1])
    return grant
  end
end
return 'foreign'
`,
);

/** Takes a ticket for a gateway: the grant as JSON, `foreign`, or null. */
export async function takeTicket(
  client: RedisClient,
  ticketKey: string,
  gatewayId: string,
): Promise<string | null> {
  return (await script.run(client, { keys: [ticketKey], args: [gatewayId] })) as string | null;
}
