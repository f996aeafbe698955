import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { Client } from 'pg';
import { Redis } from 'ioredis';
import { SERVICES, type ServiceName } from '../../tools/stack/service-plan';
import type { NodeHandle, Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { Program } from '../support/program';
import { startTestStack } from '../support/test-stack';
import { changeTopic } from '../support/topic-config';

/** Exit code of a process with a setting that is missing, malformed or dangerous. */
const EX_CONFIG = 78;
/** How long after the return of what was away all services are ready. */
const READY_WITHIN_MS = 30_000;
const PATIENCE_MS = 60_000;
/** A process that has not ended by then goes on. */
const ENDS_WITHIN_MS = 40_000;
const AT_ONCE = 4;

/** What every service starts with in production: nothing of it is dangerous, and nothing is there. */
const GOOD: Record<string, string> = {
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  PORT: '0',
  ADMIN_PORT: '0',
  KAFKA_BROKERS: '127.0.0.1:1',
  KAFKA_REPLICATION: '3',
  KAFKA_MIN_INSYNC: '2',
  REDIS_URL: 'redis://127.0.0.1:1',
  DATABASE_URL: 'postgres://chat:hJ7-kw2Qz@127.0.0.1:1/chat',
  STORAGE_URLS: 'http://127.0.0.1:1',
  PRESENCE_URLS: 'http://127.0.0.1:1',
  CLUSTER_SECRET: 'vVq0c9mZr4Hn2KxTtYw8LbEjGd5sUoP1aQiF7eRk3zA',
  JWT_SECRET: 'dTm3vU8sQkz1yXw0Rb7nLh5cJf2gPa9eVoIiKq4W6xY',
};

type Process = ServiceName | 'prepare';
type Change = Record<string, string | undefined>;

const dataDir = mkdtempSync(join(tmpdir(), 'tidings-starts-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

/** The real process, as it was built. */
function started(process: Process, change: Change = {}, words: string[] = []): Program {
  const tool = process === 'prepare';
  const file = join('services', `${tool ? 'storage' : process}.js`);
  const own = { NODE_ID: `bad-${process}`, DATA_DIR: join(dataDir, process) };
  return new Program(file, {
    args: tool ? ['prepare', ...words] : [],
    env: { ...GOOD, ...own, ...change },
  });
}

/** How it ends: with which code, and what it says on stderr. */
async function endOf(process: Process, change: Change): Promise<[number | null, string]> {
  const program = started(process, change);
  const timer = setTimeout(() => void program.kill(), ENDS_WITHIN_MS);
  const code = await program.ended;
  clearTimeout(timer);
  return [code, program.errors];
}

const insecure = (name: string, word: string): string =>
  `${name} leads to another host in clear text: ALLOW_INSECURE does not name ${word}.`;
const tooFew = (name: string, least: number): string =>
  `${name} must be at least ${least} in production: ALLOW_INSECURE does not name single-broker.`;

/** One setting that is wrong, and the one sentence that names it. */
const BAD: [readonly Process[], Change, string][] = [
  [SERVICES, { CLUSTER_SECRET: undefined }, 'CLUSTER_SECRET is missing.'],
  [SERVICES, { KAFKA_BROKERS: 'kafka-1:9092' }, insecure('KAFKA_BROKERS', 'kafka')],
  [SERVICES, { REDIS_URL: 'redis://redis-1' }, insecure('REDIS_URL', 'redis')],
  [SERVICES, { KAFKA_REPLICATION: '2' }, tooFew('KAFKA_REPLICATION', 3)],
  [['prepare', 'session'], { KAFKA_MIN_INSYNC: '1' }, tooFew('KAFKA_MIN_INSYNC', 2)],
  [['prepare'], { KAFKA_REPLICATION: '2' }, tooFew('KAFKA_REPLICATION', 3)],
  [
    ['session'],
    { ALLOW_INSECURE: 'all' },
    'ALLOW_INSECURE must be some of kafka, redis, postgres, s3, internal, clients, single-broker, separated by commas.',
  ],
  [['session'], { PORT: 'http' }, 'PORT must be a number.'],
  [
    ['session'],
    { KAFKA_BROKERS: 'kafka' },
    'KAFKA_BROKERS must be host:port, separated by commas.',
  ],
  [['session'], { STORAGE_URLS: 'http://storage-1:8092' }, insecure('STORAGE_URLS', 'internal')],
  [['session'], { INTERNAL_URL: 'http://session-1:8090' }, insecure('INTERNAL_URL', 'internal')],
  [
    ['session'],
    { CLUSTER_SECRET: 'development-only-cluster-secret-please-change' },
    'CLUSTER_SECRET is an example: make one of your own.',
  ],
  [['session'], { HOST: '192.0.2.1' }, 'HOST is no address of this machine.'],
  [
    ['gateway'],
    { ALLOWED_ORIGINS: '*' },
    'ALLOWED_ORIGINS must be origins, scheme://host[:port], without *.',
  ],
  [
    ['gateway'],
    { ALLOWED_ORIGINS: 'https://*.example.org' },
    'ALLOWED_ORIGINS must be origins, scheme://host[:port], without *.',
  ],
  [['gateway'], { PUBLIC_URL: 'ws://chat.example.org/v1/ws' }, insecure('PUBLIC_URL', 'clients')],
  [['gateway'], { PRESENCE_URLS: 'http://p-1:8091' }, insecure('PRESENCE_URLS', 'internal')],
  [
    ['gateway'],
    { ADMIN_PORT: undefined },
    'ADMIN_PORT is missing: in production health and metrics have a listener of their own.',
  ],
  [['gateway'], { JWT_SECRET: 'short' }, 'JWT_SECRET must have at least 32 bytes.'],
  [
    ['gateway'],
    { JWT_SECRET: GOOD['CLUSTER_SECRET'] },
    'CLUSTER_SECRET is equal to JWT_SECRET: make a secret for each.',
  ],
  [['presence'], { DATABASE_URL: undefined }, 'DATABASE_URL is missing.'],
  [
    ['presence', 'prepare'],
    { DATABASE_URL: 'postgres://chat:hJ7-kw2Qz@db-1/chat' },
    insecure('DATABASE_URL', 'postgres'),
  ],
  [
    ['presence'],
    { DATABASE_URL: 'postgres://chat:postgres@127.0.0.1/chat' },
    'DATABASE_URL has a default password: set one of your own.',
  ],
  [['presence'], { TEST_FAILPOINT: 'x:exit' }, 'TEST_FAILPOINT is for tests only.'],
  [
    ['storage'],
    { MEDIA_S3_BUCKET: 'uploads', MEDIA_S3_ENDPOINT: 'http://s3.example.org' },
    insecure('MEDIA_S3_ENDPOINT', 's3'),
  ],
  [
    ['storage'],
    { MEDIA_S3_ACCESS_KEY_ID: 'k' },
    'MEDIA_S3_SECRET_ACCESS_KEY is missing: it goes with MEDIA_S3_ACCESS_KEY_ID.',
  ],
  [
    ['storage'],
    { LOGIN_POLICY: 'one' },
    'LOGIN_POLICY must be one of multi, single-reject, single-replace.',
  ],
];

describe('a setting that is missing, malformed or dangerous stops the start', () => {
  const runs = BAD.flatMap(([processes, change, sentence]) =>
    processes.map((process) => ({ process, change, sentence, name: nameOf(process, change) })),
  );
  const ends = new Map<string, [number | null, string]>();

  beforeAll(async () => {
    const waiting = [...runs];
    const worker = async (): Promise<void> => {
      for (let run = waiting.shift(); run; run = waiting.shift()) {
        ends.set(run.name, await endOf(run.process, run.change));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }, 240_000);

  it.each(runs)('$name: $sentence', ({ name, sentence }) => {
    expect(ends.get(name)).toEqual([EX_CONFIG, `${sentence}\n`]);
  });

  it.each(SERVICES)(
    'and nothing else does: %s waits, and ends when it is told to',
    async (service) => {
      const program = started(service);
      await program.shows(/"msg":"(waiting for|redis connection failed)/);
      expect(await program.end('SIGTERM')).toBe(0);
      expect(program.errors).toBe('');
      expect(program.lines.filter((line) => /start failed|"level":"fatal"/.test(line))).toEqual([]);
    },
  );
});

function nameOf(process: Process, change: Change): string {
  const [[setting, value] = ['', '']] = Object.entries(change).slice(-1);
  return `${process} with ${setting}=${value ?? ''}`;
}

const ENGINES = ['kafka', 'redis', 'postgres'] as const;
type Engine = (typeof ENGINES)[number];

/** The part of `/health/ready` that says so; null: this service starts without it. */
const AWAITED: Record<Engine, Record<ServiceName, string | null>> = {
  kafka: { gateway: 'kafka', session: 'kafka', presence: 'kafka', storage: 'kafka' },
  redis: { gateway: 'redis', session: 'redis', presence: 'redis', storage: null },
  // gateways and sessions ask storage
  postgres: { gateway: 'storage', session: 'storage', presence: 'database', storage: 'database' },
};
const REASONS: Record<string, RegExp> = {
  kafka: /^waiting: no broker of Kafka answers$/,
  redis: /ECONNREFUSED/,
  database: /^waiting: .*ECONNREFUSED/,
  storage: /^waiting: The service is not reachable/,
};

describe('services that start', () => {
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ services: { gateway: 1 }, durable: true }));
  }, 240_000);
  afterAll(() => stop?.());

  const answer = async (node: NodeHandle, path: string) => {
    const response = await fetch(node.url + path);
    return { status: response.status, text: await response.text() };
  };

  it.each(ENGINES)(
    'without %s live, say what they wait for, and are ready soon after',
    async (engine) => {
      const nodes = Object.values(stack.nodes);
      const from = new Map(nodes.map((node) => [node, readFileSync(node.logPath).length]));
      await stack[engine].kill();
      await Promise.all(nodes.map((node) => node.kill()));
      const starts = nodes.map((node) => node.restart());
      const readyOnes = Promise.all(starts);
      // awaited below; a start that fails meanwhile is told there
      readyOnes.catch(() => undefined);
      for (const node of nodes) {
        const part = AWAITED[engine][node.service];
        if (part === null) continue;
        await eventually(async () => {
          expect((await answer(node, '/health/live')).status).toBe(200);
          const { status, text } = await answer(node, '/health/ready');
          const { problems } = JSON.parse(text) as { problems: Record<string, string> };
          expect([status, problems['process']]).toEqual([503, 'starting']);
          expect(problems[part]).toMatch(REASONS[part]!);
          const metrics = await answer(node, '/metrics');
          expect([metrics.status, metrics.text]).toEqual([
            200,
            expect.stringContaining('process_cpu'),
          ]);
        }, PATIENCE_MS);
      }
      for (const node of nodes) {
        if (AWAITED[engine][node.service] === null) await starts[nodes.indexOf(node)];
      }
      await stack[engine].restart();
      const returned = performance.now();
      await readyOnes;
      const ms = Math.round(performance.now() - returned);
      expect(ms).toBeLessThan(READY_WITHIN_MS);
      for (const node of nodes) {
        const log = readFileSync(node.logPath).subarray(from.get(node)).toString('utf8');
        const said = [...log.matchAll(/"msg":"(waiting for [^"]*)"/g)].map(([, text]) => text!);
        // one line for each change, however many tries there were
        expect(said.filter((text, i) => text === said[i - 1])).toEqual([]);
        expect(said.length).toBeLessThan(8);
      }
    },
    180_000,
  );

  it('need topics as prepare makes them: it names what differs, and sets it with --repair', async () => {
    const kafka = createKafka({ brokers: [stack.brokers], clientId: 'test' });
    const topic = 'chat.signals.v1';
    await changeTopic(kafka, topic, { 'retention.ms': '1000' });
    const env = { NODE_ENV: 'test', KAFKA_BROKERS: stack.brokers, DATABASE_URL: stack.databaseUrl };
    const one = { ...env, KAFKA_REPLICATION: '1', KAFKA_MIN_INSYNC: '1' };
    const run = async (...words: string[]): Promise<string> => {
      const program = started('prepare', one, words);
      expect(await program.ended).toBe(0);
      return program.lines.join('\n');
    };
    const differs = `topic ${topic} has retention.ms 1000, not 600000`;
    await eventually(async () => {
      expect(await run()).toContain(`${differs}: prepare --repair sets it`);
    }, PATIENCE_MS);
    expect(await run('--repair')).toContain(`${differs}: it is set now`);
    await eventually(async () => expect(await run()).not.toContain('topic '), PATIENCE_MS);
    const wrong = started('prepare', one, ['--fix']);
    expect(await wrong.ended).toBe(1);
    expect(wrong.lines.join()).toContain('unknown word --fix');
  }, 180_000);

  describe('in production', () => {
    const settings = (): Change => ({
      KAFKA_BROKERS: stack.brokers,
      REDIS_URL: stack.redisUrl,
      DATABASE_URL: stack.databaseUrl,
      STORAGE_URLS: stack.node('storage-1').url,
      PRESENCE_URLS: stack.node('presence-1').url,
      CLUSTER_SECRET: stack.clusterSecret,
      JWT_SECRET: stack.jwtSecret,
    });

    async function database(...statements: string[]): Promise<void> {
      const client = new Client({ connectionString: stack.databaseUrl });
      await client.connect();
      for (const statement of statements) await client.query(statement);
      await client.end();
    }

    it.each<[string, Process[]]>([
      ['fsync', ['storage', 'prepare']],
      ['synchronous_commit', ['storage', 'presence']],
    ])('refuse a PostgreSQL with %s off', async (name, processes) => {
      await database(`ALTER SYSTEM SET ${name} = off`, 'SELECT pg_reload_conf()');
      const sentence = `DATABASE_URL leads to a server with ${name} off: what it acknowledges may be lost.\n`;
      try {
        await eventually(async () => {
          const client = new Client({ connectionString: stack.databaseUrl });
          await client.connect();
          const { rows } = await client.query(`SELECT current_setting('${name}') AS value`);
          await client.end();
          expect(rows).toEqual([{ value: 'off' }]);
        });
        const ends = await Promise.all(processes.map((one) => endOf(one, settings())));
        expect(ends).toEqual(processes.map(() => [EX_CONFIG, sentence]));
      } finally {
        await database(`ALTER SYSTEM RESET ${name}`, 'SELECT pg_reload_conf()');
      }
    });

    it('refuse a Redis that evicts keys', async () => {
      const redis = new Redis(stack.redisUrl);
      const sentence =
        'REDIS_URL leads to a server that evicts keys: its maxmemory-policy is allkeys-lru and must be noeviction.\n';
      await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
      try {
        const ends = await Promise.all(SERVICES.map((one) => endOf(one, settings())));
        expect(ends).toEqual(SERVICES.map(() => [EX_CONFIG, sentence]));
      } finally {
        await redis.config('SET', 'maxmemory-policy', 'noeviction');
        redis.disconnect();
      }
    });
  });
});
