import { hostname } from 'node:os';
import { z } from 'zod';
import { ALLOWANCES, type SettingFacts, settingsOf } from './setting';
import {
  isLoopback,
  type Problem,
  problemsInProduction,
  problemsTogether,
  withPassword,
} from './setting-rules';

const list = (value: string): string[] => value.split(',').map((one) => one.trim());

const urls = z
  .string()
  .transform((s) => list(s).map((u) => u.replace(/\/$/, '')))
  .pipe(
    z.array(
      z.url({ protocol: /^https?$/, error: 'must be http:// addresses, separated by commas' }),
    ),
  );

function isBroker(text: string): boolean {
  const port = /^[^\s:/]+:(\d{1,5})$|^\[[0-9a-fA-F:]+\]:(\d{1,5})$/.exec(text);
  const number = Number(port?.[1] ?? port?.[2]);
  return number >= 1 && number <= 65_535;
}

/** What every service reads from its environment. Durations are milliseconds. */
export const commonEnv = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development').meta({
    description: 'In `production` what is dangerous is refused (docs/SETTINGS.md).',
    unset: '`production` when `HOST` can be reached from other machines, else `development`',
  }),
  NODE_ID: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,48}$/, 'must be 1 to 48 letters, digits or -')
    .meta({
      description:
        'Name of this instance in logs, leases and the cluster; of no other, the same after a restart. `{hostname}` in it stands for the name of the machine or container.',
      namesHost: true,
    }),
  HOST: z.string().default('127.0.0.1').meta({
    description: 'Address that the listeners are bound to; `0.0.0.0`: all of this machine.',
  }),
  PORT: z.coerce.number().int().min(0).max(65535).meta({
    description:
      "Port of the service: of a gateway the public one, else the one for the services' calls.",
  }),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .meta({ description: 'Least level of the lines that are logged.' }),
  CLUSTER_SECRET: z.string().min(1).meta({
    description: 'Signs the calls between the services: the same for all of them.',
    secret: 'key',
  }),
  ALLOW_INSECURE: z
    .string()
    .default('')
    .transform((s) => list(s).filter((one) => one !== ''))
    .refine(
      (words) => words.every((one) => (ALLOWANCES as readonly string[]).includes(one)),
      `must be some of ${ALLOWANCES.join(', ')}, separated by commas`,
    )
    .meta({
      description:
        'What production may do without, separated by commas. Encryption on the way to another host, where nobody else can listen in: `kafka`, `redis`, `postgres`, `s3`, `internal` (the calls between services), `clients` (`ws://` and `http://` addresses for them). `single-broker`: copies of the log on other brokers.',
    }),
  TEST_FAILPOINT: z.string().optional().meta({
    description: 'Makes something go wrong at named points of the code.',
    testsOnly: true,
  }),
});

export const kafkaEnv = z.object({
  KAFKA_BROKERS: z
    .string()
    .transform(list)
    .pipe(z.array(z.string().refine(isBroker, 'must be host:port, separated by commas')))
    .meta({
      description: 'Brokers to begin with, `host:port`, separated by commas.',
      clearText: 'kafka',
    }),
  KAFKA_PARTITIONS: z.coerce.number().int().min(1).max(1024).default(8).meta({
    description:
      'Partitions of every topic keyed by conversation or user; fixed when the topics are made.',
  }),
  KAFKA_REPLICATION: z.coerce
    .number()
    .int()
    .min(1)
    .max(7)
    .default(1)
    .meta({
      description: 'Brokers that have a copy of each partition; counts when the topics are made.',
      inProduction: { atLeast: 3, unless: 'single-broker' },
    }),
  KAFKA_MIN_INSYNC: z.coerce
    .number()
    .int()
    .min(1)
    .max(7)
    .default(1)
    .meta({
      description:
        'Copies that must have a record before it is acknowledged; counts when the topics are made.',
      atMost: 'KAFKA_REPLICATION',
      inProduction: { atLeast: 2, unless: 'single-broker' },
    }),
});

export const redisEnv = z.object({
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a redis:// or rediss:// address' })
    .meta({
      description:
        'Redis or Valkey: `redis://[user:password@]host:port[/db]`, with TLS `rediss://`. It must not evict keys (`maxmemory-policy noeviction`): production does not start with one that does.',
      secret: 'address',
      clearText: 'redis',
    }),
  REDIS_PASSWORD: z.string().optional().meta({
    description: 'Password for `REDIS_URL`, any characters, when it is not part of it.',
    secret: 'password',
    passwordOf: 'REDIS_URL',
  }),
});
export const databaseEnv = z.object({
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// address' })
    .meta({
      description:
        'PostgreSQL: `postgres://user[:password]@host:port/database`, with TLS `?sslmode=verify-full` behind it. Production does not start with one whose `fsync` or `synchronous_commit` is off.',
      secret: 'address',
      clearText: 'postgres',
    }),
  DATABASE_PASSWORD: z.string().optional().meta({
    description: 'Password for `DATABASE_URL`, any characters, when it is not part of it.',
    secret: 'password',
    passwordOf: 'DATABASE_URL',
  }),
  DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(10).meta({
    description: 'Connections for reads; writing and the outbox have some of their own.',
  }),
});
export const storageUrlsEnv = z.object({
  STORAGE_URLS: urls.meta({
    description: 'Addresses of the storage services, separated by commas.',
    clearText: 'internal',
  }),
});
export const presenceUrlsEnv = z.object({
  PRESENCE_URLS: urls.meta({
    description: 'Addresses of the presence services, separated by commas.',
    clearText: 'internal',
  }),
});
export const internalUrlEnv = z.object({
  INTERNAL_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// address' })
    .optional()
    .meta({
      description: 'Address at which the other services call this one.',
      clearText: 'internal',
      unset: "the listener's own; of `0.0.0.0` this machine's first address that is not loopback",
    }),
});
/** How often somebody may be logged in at once. */
const loginPolicy = z.enum(['multi', 'single-reject', 'single-replace']);
export type LoginPolicy = z.infer<typeof loginPolicy>;
export const loginPolicyEnv = z.object({
  LOGIN_POLICY: loginPolicy.default('multi').meta({
    description:
      'How often a user may be logged in: `multi`: on several devices; `single-replace`: a login ends the others; `single-reject`: a login is refused while another one is in use. The same for gateways and storage.',
  }),
});
export const jwtEnv = z.object({
  JWT_SECRET: z.string().min(1).meta({
    description: 'Signs access tokens: the same for all gateways.',
    secret: 'key',
  }),
});

/** A service was started with unusable settings: a sentence for each, which names it. */
export class EnvironmentError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'EnvironmentError';
  }
}

type Source = Record<string, string | undefined>;

/** What stands for the name of this machine: replicas of one container differ in nothing else. */
const HOSTNAME = '{hostname}';

/**
 * Reads the environment once into a typed object. An empty value counts as unset. A password that
 * is given next to its URL is put into it, the machine's name where `{hostname}` stands. Throws
 * {@link EnvironmentError}.
 */
export function loadEnv<S extends z.ZodObject>(
  schema: S,
  source: Source = process.env,
): z.output<S> {
  const settings = settingsOf(schema);
  const given: Source = Object.fromEntries(
    Object.entries(source).filter(([, value]) => value !== undefined && value !== ''),
  );
  for (const [name, { namesHost }] of settings) {
    if (namesHost) given[name] &&= given[name].replaceAll(HOSTNAME, hostname());
  }
  const inferred = isPublic(given, settings);
  if (inferred) given['NODE_ENV'] = 'production';
  const parsed = schema.safeParse(given);
  const problems = parsed.success
    ? problemsOf(parsed.data, settings)
    : parsed.error.issues.map((issue) => asProblem(issue, given));
  if (!parsed.success || problems.length > 0) {
    const why = inferred ? ` (NODE_ENV is unset and HOST is public: this is production)` : '';
    const sentences = problems.map(({ name, what }) => `${name} ${what}${why}.`);
    throw new EnvironmentError([...new Set(sentences)]);
  }
  return withPasswords(parsed.data, settings) as z.output<S>;
}

/** Exit code of a process with unusable settings (`EX_CONFIG` of BSD's sysexits). */
export const EX_CONFIG = 78;

/** Exit code of a process that cannot go on because of this. */
export function exitCodeOf(error: unknown): number {
  return error instanceof EnvironmentError ? EX_CONFIG : 1;
}

/**
 * The settings of this process. If they are unusable, says why on stderr, one sentence for each,
 * and exits.
 */
export function loadEnvOrExit<S extends z.ZodObject>(schema: S): z.output<S> {
  try {
    const env = loadEnv(schema);
    // This variable decides what libraries do differently in production.
    if (typeof env['NODE_ENV'] === 'string') process.env['NODE_ENV'] = env['NODE_ENV'];
    return env;
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EX_CONFIG);
  }
}

/** Without NODE_ENV, on a machine that others can reach, nobody has said that this is a test. */
function isPublic(given: Source, settings: ReadonlyMap<string, SettingFacts>): boolean {
  const { NODE_ENV: mode, HOST: host } = given;
  return mode === undefined && settings.has('HOST') && host !== undefined && !isLoopback(host);
}

function problemsOf(
  values: Record<string, unknown>,
  settings: ReadonlyMap<string, SettingFacts>,
): Problem[] {
  const problems = problemsTogether(values, settings);
  if (values['NODE_ENV'] !== 'production') return problems;
  const allowed = (values['ALLOW_INSECURE'] ?? []) as string[];
  return [...problems, ...problemsInProduction(values, settings, allowed)];
}

function withPasswords(
  values: Record<string, unknown>,
  settings: ReadonlyMap<string, SettingFacts>,
): Record<string, unknown> {
  const whole = { ...values };
  for (const [name, { passwordOf }] of settings) {
    const password = values[name];
    if (passwordOf === undefined || typeof password !== 'string') continue;
    whole[passwordOf] = withPassword(String(values[passwordOf]), password);
  }
  return whole;
}

function asProblem(issue: z.core.$ZodIssue, given: Source): Problem {
  const name = String(issue.path[0] ?? '');
  if (given[name] === undefined) return { name, what: 'is missing' };
  return { name, what: inWords(issue) };
}

/** The value itself is left out: it may be a secret under a wrong name. */
function inWords(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'must be a whole number' : `must be a ${issue.expected}`;
    case 'too_small':
      return issue.origin === 'string'
        ? `must have at least ${issue.minimum} characters`
        : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    default:
      return issue.message;
  }
}
