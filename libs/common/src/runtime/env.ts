import { z } from 'zod';

/** A secret in production: at least 32 bytes, and not one of the examples that the docs show. */
const EXAMPLE_SECRETS = ['changeme', 'secret', 'example', 'development', 'please-change'];

function secret(name: string) {
  return z
    .string()
    .min(1, `${name} is missing`)
    .superRefine((value, context) => {
      if (process.env['NODE_ENV'] !== 'production') return;
      if (Buffer.byteLength(value) < 32) {
        context.addIssue({ code: 'custom', message: `${name} must have at least 32 bytes` });
      }
      const lower = value.toLowerCase();
      if (EXAMPLE_SECRETS.some((e) => lower.includes(e)) || new Set(value).size < 8) {
        context.addIssue({
          code: 'custom',
          message: `${name} is an example; make one of your own`,
        });
      }
    });
}

const urls = z
  .string()
  .transform((s) => s.split(',').map((u) => u.trim().replace(/\/$/, '')))
  .pipe(z.array(z.url()).min(1));

/** What every service reads from its environment. Durations are milliseconds. */
export const commonEnv = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  /** Stable name of this instance in logs, leases and the cluster: letters, digits, `-`. */
  NODE_ID: z.string().regex(/^[A-Za-z0-9-]{1,48}$/, 'letters, digits and - are allowed'),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65535),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  CLUSTER_SECRET: secret('CLUSTER_SECRET'),
});

export const kafkaEnv = z.object({
  KAFKA_BROKERS: z.string().transform((s) => s.split(',').map((b) => b.trim())),
  /** Partitions of every conversation- or user-keyed topic; fixed when the topics are made. */
  KAFKA_PARTITIONS: z.coerce.number().int().min(1).max(1024).default(8),
  KAFKA_REPLICATION: z.coerce.number().int().min(1).max(7).default(1),
  KAFKA_MIN_INSYNC: z.coerce.number().int().min(1).max(7).default(1),
});

export const redisEnv = z.object({ REDIS_URL: z.url() });
export const databaseEnv = z.object({
  DATABASE_URL: z.url(),
  DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(10),
});
export const storageUrlsEnv = z.object({ STORAGE_URLS: urls });
export const presenceUrlsEnv = z.object({ PRESENCE_URLS: urls });
export const jwtEnv = z.object({ JWT_SECRET: secret('JWT_SECRET') });

/** A service was started with an environment that it cannot use; the message names each variable. */
export class EnvironmentError extends Error {
  constructor(problems: string[]) {
    super(`The environment is not usable:\n${problems.map((p) => `  ${p}`).join('\n')}`);
    this.name = 'EnvironmentError';
  }
}

/** Reads the environment once into a typed object. Throws {@link EnvironmentError}. */
export function loadEnv<S extends z.ZodType>(
  schema: S,
  source: Record<string, string | undefined> = process.env,
): z.output<S> {
  const parsed = schema.safeParse(source);
  if (parsed.success) return parsed.data;
  throw new EnvironmentError(
    parsed.error.issues.map((issue) => {
      const name = issue.path.join('.');
      const missing = issue.code === 'invalid_type' && source[name] === undefined;
      return `${name}: ${missing ? 'is missing' : issue.message}`;
    }),
  );
}
