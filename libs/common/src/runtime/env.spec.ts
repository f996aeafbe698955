import { hostname } from 'node:os';
import { z } from 'zod';
import {
  commonEnv,
  databaseEnv,
  EnvironmentError,
  jwtEnv,
  kafkaEnv,
  loadEnv,
  redisEnv,
} from './env';

const SECRETS = {
  CLUSTER_SECRET: 'vVq0c9mZr4Hn2KxTtYw8LbEjGd5sUoP1aQiF7eRk3zA',
  JWT_SECRET: 'dTm3vU8sQkz1yXw0Rb7nLh5cJf2gPa9eVoIiKq4W6xY',
};
const schema = z.object({
  ...commonEnv.shape,
  ...jwtEnv.shape,
  ...kafkaEnv.shape,
  ...redisEnv.shape,
  ...databaseEnv.shape,
});
const good = {
  NODE_ID: 'gateway-1',
  PORT: '8080',
  KAFKA_BROKERS: 'a:9092, b:9092',
  REDIS_URL: 'redis://redis:6379',
  DATABASE_URL: 'postgres://tidings:hJ7-kw2Qz@postgres:5432/tidings',
  ...SECRETS,
};
/** Good in production, too. */
const safe = {
  ...good,
  KAFKA_REPLICATION: '3',
  KAFKA_MIN_INSYNC: '2',
  ALLOW_INSECURE: 'kafka, redis, postgres',
};
const production = { ...safe, NODE_ENV: 'production', HOST: '0.0.0.0' };

/** What the start says; '' when it goes on. */
function said(env: Record<string, string | undefined>): string {
  try {
    loadEnv(schema, env);
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    return (error as EnvironmentError).message;
  }
}

describe('loadEnv', () => {
  it('gives one typed object', () => {
    expect(loadEnv(schema, good)).toMatchObject({
      PORT: 8080,
      HOST: '127.0.0.1',
      NODE_ENV: 'development',
      KAFKA_BROKERS: ['a:9092', 'b:9092'],
    });
  });

  it.each<[string, Record<string, string | undefined>, string]>([
    ['missing', { PORT: undefined }, 'PORT is missing.'],
    ['empty', { PORT: '' }, 'PORT is missing.'],
    ['not a number', { PORT: 'http' }, 'PORT must be a number.'],
    ['not whole', { PORT: '1.5' }, 'PORT must be a whole number.'],
    ['too large', { PORT: '99999' }, 'PORT must be at most 65535.'],
    ['too small', { DATABASE_POOL: '1' }, 'DATABASE_POOL must be at least 2.'],
    ['malformed', { NODE_ID: 'a b' }, 'NODE_ID must be 1 to 48 letters, digits or -.'],
    ['no choice', { NODE_ENV: 'prod' }, 'NODE_ENV must be one of development, production, test.'],
    ['no address', { REDIS_URL: 'redis' }, 'REDIS_URL must be a redis:// or rediss:// address.'],
    [
      'of another kind',
      { REDIS_URL: 'http://redis' },
      'REDIS_URL must be a redis:// or rediss:// address.',
    ],
    [
      'no broker',
      { KAFKA_BROKERS: 'kafka' },
      'KAFKA_BROKERS must be host:port, separated by commas.',
    ],
    [
      'no port',
      { KAFKA_BROKERS: 'kafka:99999, kafka:0' },
      'KAFKA_BROKERS must be host:port, separated by commas.',
    ],
    [
      'nothing to allow',
      { ALLOW_INSECURE: 'kafka,everything' },
      'ALLOW_INSECURE must be some of kafka, redis, postgres, s3, internal, clients, single-broker, separated by commas.',
    ],
    [
      'above another',
      { KAFKA_MIN_INSYNC: '2' },
      'KAFKA_MIN_INSYNC must be at most KAFKA_REPLICATION, which is 1.',
    ],
    [
      'given twice',
      { DATABASE_PASSWORD: 'x' },
      'DATABASE_PASSWORD is given twice: DATABASE_URL has a password already.',
    ],
  ])('says in one sentence what is %s', (_what, change, sentence) => {
    expect(said({ ...good, ...change })).toBe(sentence);
  });

  it('has a sentence for each', () => {
    const lines = said({ NODE_ID: 'a b', PORT: '99999' }).split('\n');
    expect(lines).toHaveLength(7);
    expect(lines).toContain('CLUSTER_SECRET is missing.');
  });

  it('repeats no value: it may be a secret under a wrong name', () => {
    const secret = 'only-mine';
    for (const name of Object.keys(good)) {
      expect(said({ ...good, [name]: secret })).not.toContain(secret);
    }
  });

  it.each(['@', '/', '#', '?', ':', '%', '%41', 'a b', '&', "'", '"', '\\', 'ü', '+', '[', '$'])(
    'puts the password p%s into its URL',
    (part) => {
      const password = `p${part}`;
      const env = loadEnv(schema, {
        ...good,
        DATABASE_URL: 'postgres://tidings@postgres:5432/tidings',
        DATABASE_PASSWORD: password,
        REDIS_PASSWORD: password,
      });
      for (const url of [env.DATABASE_URL, env.REDIS_URL].map((one) => new URL(one))) {
        expect(decodeURIComponent(url.password)).toBe(password);
        expect(url.hostname).toMatch(/^(postgres|redis)$/);
      }
    },
  );
});

it('puts the name of the machine where {hostname} stands', () => {
  const { NODE_ID } = loadEnv(schema, { ...good, NODE_ID: 'gateway-{hostname}' });
  expect(NODE_ID).toBe(`gateway-${hostname()}`);
  // of a setting that names no machine it is text like any other
  const { REDIS_PASSWORD } = loadEnv(schema, { ...good, REDIS_PASSWORD: '{hostname}' });
  expect(REDIS_PASSWORD).toBe('{hostname}');
});

describe('in production', () => {
  it('starts with secrets of its own', () => expect(said(production)).toBe(''));

  it.each<[string, Record<string, string>, string]>([
    ['a short key', { JWT_SECRET: 'short' }, 'JWT_SECRET must have at least 32 bytes.'],
    [
      'an example',
      { CLUSTER_SECRET: 'please-change-this-secret-please-change-this' },
      'CLUSTER_SECRET is an example: make one of your own.',
    ],
    [
      "compose's own",
      { JWT_SECRET: 'development-only-jwt-secret-please-change' },
      'JWT_SECRET is an example: make one of your own.',
    ],
    [
      'a key of few characters',
      { JWT_SECRET: 'a'.repeat(64) },
      'JWT_SECRET is an example: make one of your own.',
    ],
    [
      'equal keys',
      { JWT_SECRET: SECRETS.CLUSTER_SECRET },
      'CLUSTER_SECRET is equal to JWT_SECRET: make a secret for each.',
    ],
    [
      'a key that is the password of the database',
      { DATABASE_URL: `postgres://t:${SECRETS.JWT_SECRET}@postgres/t` },
      'JWT_SECRET is equal to DATABASE_URL: make a secret for each.',
    ],
    [
      'one password for both servers',
      {
        DATABASE_URL: 'postgres://t@postgres/t',
        DATABASE_PASSWORD: 'Zk4-q',
        REDIS_PASSWORD: 'Zk4-q',
      },
      'REDIS_PASSWORD is equal to DATABASE_PASSWORD: make a secret for each.',
    ],
    [
      "compose's password of the database",
      { DATABASE_URL: 'postgres://tidings:development-only@postgres/tidings' },
      'DATABASE_URL has a default password: set one of your own.',
    ],
    [
      'the same beside the URL',
      { DATABASE_URL: 'postgres://t@postgres/t', DATABASE_PASSWORD: 'development-only' },
      'DATABASE_PASSWORD is a default password: set one of your own.',
    ],
    [
      'the name of the user as the password',
      { DATABASE_URL: 'postgres://chat:Chat@postgres/chat' },
      'DATABASE_URL has a default password: set one of your own.',
    ],
    ['a failpoint', { TEST_FAILPOINT: 'x:exit' }, 'TEST_FAILPOINT is for tests only.'],
    [
      'two copies of the log',
      { KAFKA_REPLICATION: '2' },
      'KAFKA_REPLICATION must be at least 3 in production: ALLOW_INSECURE does not name single-broker.',
    ],
    [
      'an acknowledgement by one broker',
      { KAFKA_MIN_INSYNC: '1' },
      'KAFKA_MIN_INSYNC must be at least 2 in production: ALLOW_INSECURE does not name single-broker.',
    ],
  ])('refuses %s, which development takes', (_what, change, sentence) => {
    expect(said({ ...production, ...change })).toBe(sentence);
    expect(said({ ...production, ...change, NODE_ENV: 'development' })).toBe('');
  });

  const clear = ' leads to another host in clear text: ALLOW_INSECURE does not name ';

  it.each<[string, string, string, boolean]>([
    ['KAFKA_BROKERS', 'kafka', 'kafka-1:9092', true],
    ['KAFKA_BROKERS', 'kafka', '127.0.0.1:9092,10.0.0.7:9092', true],
    ['KAFKA_BROKERS', 'kafka', '127.0.0.1:9092,localhost:9093,[::1]:9094', false],
    ['REDIS_URL', 'redis', 'redis://10.0.0.7', true],
    ['REDIS_URL', 'redis', 'redis://127.evil.example', true],
    ['REDIS_URL', 'redis', 'redis://[fd00::1]:6379/0', true],
    ['REDIS_URL', 'redis', 'redis://[::1]:6379', false],
    ['REDIS_URL', 'redis', 'redis://127.0.0.1:6379', false],
    ['REDIS_URL', 'redis', 'rediss://10.0.0.7', false],
    ['DATABASE_URL', 'postgres', 'postgres://t:hJ7-kw2Qz@db/t', true],
    ['DATABASE_URL', 'postgres', 'postgres://t:hJ7-kw2Qz@db/t?sslmode=disable', true],
    ['DATABASE_URL', 'postgres', 'postgres://t:hJ7-kw2Qz@localhost/t?host=db', true],
    ['DATABASE_URL', 'postgres', 'postgres://t:hJ7-kw2Qz@db/t?host=/run/postgresql', false],
    ['DATABASE_URL', 'postgres', 'postgres://t:hJ7-kw2Qz@db/t?sslmode=verify-full', false],
    ['DATABASE_URL', 'postgres', 'postgres://t:hJ7-kw2Qz@localhost/t', false],
  ])('%s, without %s allowed: %s is refused: %j', (name, word, value, refused) => {
    const others = ['kafka', 'redis', 'postgres'].filter((one) => one !== word).join(',');
    const env = { ...production, [name]: value };
    const sentence = refused ? `${name}${clear}${word}.` : '';
    expect(said({ ...env, ALLOW_INSECURE: others })).toBe(sentence);
    expect(said(env)).toBe('');
    expect(said({ ...env, ALLOW_INSECURE: others, NODE_ENV: 'development' })).toBe('');
  });

  it('takes one broker where that is allowed', () => {
    const one = { ...production, KAFKA_REPLICATION: '1', KAFKA_MIN_INSYNC: '1' };
    expect(said({ ...one, ALLOW_INSECURE: 'kafka,redis,postgres,single-broker' })).toBe('');
  });

  const inferred = ' (NODE_ENV is unset and HOST is public: this is production).';
  it.each([
    [undefined, undefined, false],
    [undefined, '127.0.0.1', false],
    [undefined, '127.8.8.8', false],
    [undefined, 'localhost', false],
    [undefined, '::1', false],
    [undefined, '0.0.0.0', true],
    [undefined, '::', true],
    [undefined, '10.0.0.5', true],
    [undefined, 'chat.example.org', true],
    [undefined, '127.evil.example', true],
    ['', '0.0.0.0', true],
    ['development', '0.0.0.0', false],
    ['test', '0.0.0.0', false],
  ])('NODE_ENV %j with HOST %j: %j', (mode, host, expected) => {
    const env = { ...safe, NODE_ENV: mode, HOST: host };
    expect(loadEnv(schema, env).NODE_ENV === 'production').toBe(expected);
    const short = said({ ...env, JWT_SECRET: 'short' });
    expect(short).toBe(expected ? `JWT_SECRET must have at least 32 bytes${inferred}` : '');
  });
});
