import { join } from 'node:path';
import { LIMITS, TIMINGS } from '@tidings/common/contracts/limits';
import { mediaEnv } from '@tidings/common/media/media-env';
import {
  commonEnv,
  jwtEnv,
  kafkaEnv,
  presenceUrlsEnv,
  redisEnv,
  storageUrlsEnv,
} from '@tidings/common/runtime/env';
import { z } from 'zod';

const rate = (normal: number) => z.coerce.number().min(0).default(normal);

const origins = z
  .string()
  .default('')
  .transform((s) => s.split(',').map((o) => o.trim().replace(/\/$/, '')))
  .transform((list) => list.filter((o) => o !== ''))
  .pipe(z.array(z.string().regex(/^https?:\/\/[^/]+$/, 'an origin is scheme://host[:port]')));

/** What a gateway reads from its environment, beside what every service reads. */
export const gatewayEnv = commonEnv
  .extend(kafkaEnv.shape)
  .extend(redisEnv.shape)
  .extend(storageUrlsEnv.shape)
  .extend(presenceUrlsEnv.shape)
  .extend(jwtEnv.shape)
  .extend(mediaEnv.shape)
  .extend({
    /** WebSocket address that clients are sent to; default: the listener's own. */
    PUBLIC_URL: z.url({ protocol: /^wss?$/ }).optional(),
    /** Listener of its own for health and metrics; the public one has them only without it. */
    ADMIN_PORT: z.coerce.number().int().min(0).max(65535).optional(),
    /** A secret that tokens may still be signed with while it is being replaced. */
    JWT_SECRET_PREVIOUS: z.string().min(32).optional(),
    /** Origins of web pages that may use this gateway, beside its own; comma separated. */
    ALLOWED_ORIGINS: origins,
    /** Express' `trust proxy`: hops or addresses; default: the socket's address counts. */
    TRUST_PROXY: z.string().optional(),
    /** Sends per second and connection; 0: no limit. */
    SEND_RATE_PER_SECOND: rate(LIMITS.sendsPerSecond),
    SEND_BURST: rate(LIMITS.sendBurst),
    /** Requests per minute and address; 0: no limit. */
    HTTP_RATE_PER_MINUTE: rate(600),
    /** Logins, refreshes and registrations per minute and address; 0: no limit. */
    AUTH_RATE_PER_MINUTE: rate(30),
    HEARTBEAT_SECONDS: z.coerce.number().min(0.2).max(300).default(TIMINGS.heartbeatSeconds),
    /** How long a ticket of the directory can be used (at most 30 s). */
    TICKET_SECONDS: z.coerce
      .number()
      .min(1)
      .max(TIMINGS.ticketSeconds)
      .default(TIMINGS.ticketSeconds),
    /** Directory of this node, kept over restarts and shared with no other; default `.data/NODE_ID`. */
    DATA_DIR: z.string().min(1).optional(),
    /** Bytes of messages that may be held on disk while the log is away; a quarter per partition. */
    SPOOL_MAX_BYTES: z.coerce
      .number()
      .int()
      .min(0)
      .default(256 * 1024 * 1024),
    /** Sockets that this gateway takes before it answers `busy`. */
    MAX_CONNECTIONS: z.coerce.number().int().min(1).default(20_000),
    /** Scheme and host of signed media URLs, when a CDN stands in front; default: PUBLIC_URL's. */
    MEDIA_PUBLIC_URL: z
      .url({ protocol: /^https?$/ })
      .transform((url) => url.replace(/\/$/, ''))
      .optional(),
    /** Life of a signed media URL (at most 5 minutes). */
    MEDIA_URL_SECONDS: z.coerce
      .number()
      .int()
      .min(1)
      .max(TIMINGS.mediaUrlSeconds)
      .default(TIMINGS.mediaUrlSeconds),
    /** Tests only: shifts the gateway's clock for `sentAt` and the age of ids, in milliseconds. */
    TEST_CLOCK_OFFSET_MS: z.coerce.number().int().default(0),
  })
  .superRefine((env, context) => {
    if (env.NODE_ENV !== 'production') return;
    if (env.TEST_CLOCK_OFFSET_MS !== 0) {
      context.addIssue({
        code: 'custom',
        path: ['TEST_CLOCK_OFFSET_MS'],
        message: 'is for tests only',
      });
    }
    if (env.ADMIN_PORT === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['ADMIN_PORT'],
        message: 'is missing: in production health and metrics have a listener of their own',
      });
    }
  });

export type GatewayEnv = z.output<typeof gatewayEnv>;

/** Where this node keeps its data. */
export function dataDir({ DATA_DIR, NODE_ID }: Pick<GatewayEnv, 'DATA_DIR' | 'NODE_ID'>): string {
  return DATA_DIR ?? join('.data', NODE_ID);
}
