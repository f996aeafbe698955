import { isIP } from 'node:net';
import { join } from 'node:path';
import { RATES, TIMINGS, type Rates } from '@tidings/protocol/limits';
import { mediaEnv } from '@tidings/common/media/media-env';
import {
  commonEnv,
  jwtEnv,
  kafkaEnv,
  loginPolicyEnv,
  presenceUrlsEnv,
  redisEnv,
  storageUrlsEnv,
} from '@tidings/common/runtime/env';
import { z } from 'zod';
import { DEFAULT_GATEWAY } from './rates/shared-addresses';
import { readRates } from './rates/rate-settings';

const rate = (normal: number) => z.coerce.number().min(0).default(normal);

const rateLimits = z
  .string()
  .default('')
  .transform((setting, context): Rates => {
    const rates = readRates(setting);
    if (rates) return rates;
    context.addIssue({
      code: 'custom',
      message: 'must be `off`, or name=perMinute/burst, separated by commas',
    });
    return z.NEVER;
  });

const origins = z
  .string()
  .default('')
  .transform((s) => s.split(',').map((o) => o.trim().replace(/\/$/, '')))
  .transform((list) => list.filter((o) => o !== ''))
  .pipe(
    z.array(
      z.string().regex(/^https?:\/\/[^/*]+$/, 'must be origins, scheme://host[:port], without *'),
    ),
  );

/** What Express takes for `trust proxy`: a number of hops, or addresses, networks and their names. */
const trustedProxies = z
  .string()
  .refine(
    (s) =>
      /^[0-9]{1,2}$/.test(s) ||
      s.split(',').every((one) => PROXY_NAMES.includes(one.trim()) || isNetwork(one.trim())),
    'must be a number of hops, or addresses and networks, separated by commas',
  )
  .transform((s) => (/^[0-9]+$/.test(s) ? Number(s) : s.split(',').map((one) => one.trim())));
const PROXY_NAMES = ['loopback', 'linklocal', 'uniquelocal'];

const sharedAddresses = z
  .string()
  .default('')
  .transform((s) => s.split(',').map((one) => one.trim()))
  .transform((list) => list.filter((one) => one !== ''))
  .refine(
    (list) => list.every((one) => one === DEFAULT_GATEWAY || isNetwork(one)),
    `must be addresses, networks and ${DEFAULT_GATEWAY}, separated by commas`,
  );

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

/** What a gateway reads from its environment, beside what every service reads. */
export const gatewayEnv = z.object({
  ...commonEnv.shape,
  ...kafkaEnv.shape,
  ...redisEnv.shape,
  ...storageUrlsEnv.shape,
  ...presenceUrlsEnv.shape,
  ...jwtEnv.shape,
  ...loginPolicyEnv.shape,
  ...mediaEnv.shape,
  PUBLIC_URL: z
    .url({ protocol: /^wss?$/, error: 'must be a ws:// or wss:// address' })
    .optional()
    .meta({
      description:
        'WebSocket address of this gateway that clients are sent to. `{hostname}` in it stands for the name of the machine or container.',
      clearText: 'clients',
      namesHost: true,
      unset: "the listener's own",
    }),
  ADMIN_PORT: z.coerce.number().int().min(0).max(65535).optional().meta({
    description: 'Port of a listener for health, metrics and what operators do (`/v1/admin`).',
    unset: 'the public listener has health and metrics, nobody the rest',
    neededInProduction: 'in production health and metrics have a listener of their own',
  }),
  JWT_SECRET_PREVIOUS: z.string().min(32).optional().meta({
    description:
      'The `JWT_SECRET` that is being replaced: tokens that it has signed count until they end.',
    secret: 'key',
  }),
  ALLOWED_ORIGINS: origins.meta({
    description:
      'Origins of web pages that may use this gateway, beside its own: `https://chat.example.org`, separated by commas.',
  }),
  TRUST_PROXY: trustedProxies.optional().meta({
    description:
      'Whose `X-Forwarded-For` tells the address of a client: a number of proxies in front, or their addresses and networks, separated by commas.',
    unset: "nobody's: the address of the connection counts",
  }),
  SHARED_ADDRESSES: sharedAddresses.meta({
    description:
      "Addresses and networks behind which many clients stand, separated by commas; `default-gateway`: where a container engine's proxy comes from. Limits per address do not apply to them, those per account and user do.",
  }),
  RATE_LIMITS: rateLimits.meta({
    description:
      'Changes of the rates of users, devices and sockets (docs/PROTOCOL.md, Rates) as `name=perMinute/burst`, separated by commas; `name=0/0`: no limit; `off`: none at all.',
  }),
  HTTP_RATE_PER_MINUTE: rate(RATES.request.perMinute).meta({
    description:
      'Requests per minute of a device whose token is ours, else of an address, at all gateways together; 0: no limit.',
  }),
  AUTH_RATE_PER_MINUTE: rate(RATES.auth.perMinute).meta({
    description:
      'Logins, registrations and refreshes that fail per minute and address, at all gateways together; 0: no limit.',
  }),
  USER_DIRECTORY: z.enum(['search', 'list']).default('search').meta({
    description:
      'How users find others: `search`, by two letters of a name or more; `list`: everybody can be listed, too.',
  }),
  HEARTBEAT_SECONDS: z.coerce
    .number()
    .min(0.2)
    .max(300)
    .default(TIMINGS.heartbeatSeconds)
    .meta({ description: 'Time between two pings of a socket.', unit: 'seconds' }),
  TICKET_SECONDS: z.coerce
    .number()
    .min(1)
    .max(TIMINGS.ticketSeconds)
    .default(TIMINGS.ticketSeconds)
    .meta({ description: 'How long a ticket of the directory can be used.', unit: 'seconds' }),
  DATA_DIR: z.string().min(1).optional().meta({
    description: 'Folder of this gateway, kept over restarts and shared with no other.',
    unset: '`.data/NODE_ID`',
  }),
  SPOOL_ROOT: z.string().min(1).optional().meta({
    description:
      'Folder on a volume that all gateways of a cluster share, and no other cluster: what a gateway holds while the log is away lies there, and when it is gone for good another one sends it.',
    unset: 'held messages lie in `DATA_DIR` and wait for their gateway',
  }),
  SPOOL_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(256 * 1024 * 1024)
    .meta({
      description:
        'Messages that may be held on disk while the log is away; a quarter of it per partition, 1/32 per sender.',
      unit: 'bytes',
    }),
  MAX_CONNECTIONS: z.coerce.number().int().min(1).default(20_000).meta({
    description: 'Sockets that this gateway takes before it answers `busy`.',
  }),
  CONNECT_RATE_PER_SECOND: z.coerce.number().min(0).default(100).meta({
    description:
      'Connects that this gateway takes per second, fewer while its event loop is late; others are answered `busy`. 0: no limit.',
  }),
  CONNECT_BURST: z.coerce.number().int().min(1).default(200).meta({
    description: 'Connects that it takes at once, beyond `CONNECT_RATE_PER_SECOND`.',
  }),
  SHED_LOOP_DELAY_MS: z.coerce.number().min(0).default(150).meta({
    description:
      'Event-loop delay (99th percentile of a second) above which typing is shed; twice as much: presence, too; four times: receipts; eight times: messages are answered `busy`. 0: it does not count.',
    unit: 'milliseconds',
  }),
  SHED_QUEUED_RECORDS: z.coerce.number().int().min(0).default(1_000).meta({
    description:
      'The same for messages of this gateway that wait for the log. 0: they do not count.',
  }),
  SHED_INBOX_ENTRIES: z.coerce.number().int().min(0).default(2_000).meta({
    description:
      'The same for entries that wait in the inbox of this gateway; no message is refused for them. 0: they do not count.',
  }),
  SHED_LAG_SECONDS: z.coerce.number().min(0).default(15).meta({
    description:
      'The same for the oldest record that a consumer group has not applied; no message is refused for it. 0: it does not count.',
    unit: 'seconds',
  }),
  BACKOFF_BASE_MS: z.coerce.number().int().min(1).default(TIMINGS.backoffBaseMs).meta({
    description:
      'Clients try again within this time behind a first failure, then within twice as much.',
    unit: 'milliseconds',
    atMost: 'BACKOFF_MAX_MS',
  }),
  BACKOFF_MAX_MS: z.coerce.number().int().min(1).default(TIMINGS.backoffMaxMs).meta({
    description: 'Longest time within which clients try again.',
    unit: 'milliseconds',
  }),
  DRAIN_SECONDS: z.coerce.number().min(0).max(300).default(30).meta({
    description:
      'When a gateway stops its clients leave over as much time as the others need to let them in, at most this. Whoever stops it waits 20 s longer.',
    unit: 'seconds',
  }),
  MAX_HTTP_CONNECTIONS: z.coerce.number().int().min(1).default(5_000).meta({
    description: 'Connections for HTTP calls that may be open beside `MAX_CONNECTIONS` sockets.',
  }),
  ADDRESS_CONNECTIONS: z.coerce.number().int().min(0).default(1_000).meta({
    description:
      'Connections that one address may have open, sockets included (of IPv6: one /64); 0: no limit. Counts nobody in `SHARED_ADDRESSES`. Behind `TRUST_PROXY`, whose connections serve many clients, it counts the sockets and the calls under way of each client.',
  }),
  MAX_CONNECTIONS_PER_ADDRESS: z.coerce.number().int().min(0).default(0).meta({
    description:
      'Sockets that one address may have at this gateway (of IPv6: one /64), nobody in `SHARED_ADDRESSES`; 0: no limit beside `ADDRESS_CONNECTIONS`.',
  }),
  MEDIA_PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
    .transform((url) => url.replace(/\/$/, ''))
    .optional()
    .meta({
      description: 'Scheme and host of signed media URLs, when a CDN stands in front.',
      clearText: 'clients',
      unset: "`PUBLIC_URL`'s",
    }),
  MEDIA_URL_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(TIMINGS.mediaUrlSeconds)
    .default(TIMINGS.mediaUrlSeconds)
    .meta({ description: 'Life of a signed media URL.', unit: 'seconds' }),
  TEST_CLOCK_OFFSET_MS: z.coerce.number().int().default(0).meta({
    description: "Shifts the gateway's clock for `sentAt` and the age of ids.",
    unit: 'milliseconds',
    testsOnly: true,
  }),
});

export type GatewayEnv = z.output<typeof gatewayEnv>;

/** All rates in force, with those of addresses. */
export function ratesInForce(env: GatewayEnv): Rates {
  return {
    ...env.RATE_LIMITS,
    request: {
      ...RATES.request,
      perMinute: env.HTTP_RATE_PER_MINUTE,
      burst: env.HTTP_RATE_PER_MINUTE,
    },
    auth: { ...RATES.auth, perMinute: env.AUTH_RATE_PER_MINUTE, burst: env.AUTH_RATE_PER_MINUTE },
  };
}

/** Where this node keeps its data. */
export function dataDir({ DATA_DIR, NODE_ID }: Pick<GatewayEnv, 'DATA_DIR' | 'NODE_ID'>): string {
  return DATA_DIR ?? join('.data', NODE_ID);
}
