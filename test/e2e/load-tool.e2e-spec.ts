import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { releaseLock, takeLock } from '../../tools/stack/lock';
import { projectRoot } from '../../tools/stack/paths';
import { runProgram } from '../../tools/stack/run-program';
import type { Stack } from '../../tools/stack/stack';
import { removeStackFile, writeStackFile } from '../../tools/stack/stack-file';
import { startTestStack } from '../support/test-stack';
import { stepsIn } from '../../tools/figures/starts';
import type { RunReport } from '../../tools/load/measure';
import { MessageIds } from '../../tools/load/generator/message-ids';
import { poissonArrivals } from '../../tools/load/generator/schedule';
import { seededRandom } from '../../tools/load/random';
import type { SyncReport } from '../../tools/load/syncs';

/** How many messages a schedule of the tool has. */
function arrivals({ seed, rate, seconds }: Record<'seed' | 'rate' | 'seconds', number>): number {
  const random = seededRandom(seed);
  // it makes its ids first
  new MessageIds(random);
  const plan = { ratePerSecond: rate, durationMs: seconds * 1000, senders: 1 };
  return poissonArrivals(random, plan).atMs.length;
}

const RUN_MS = 240_000;
/** Exit codes by outcome. On a busy machine a generator comes late: that voids figures, not the ledger. */
const CODES = { PASSED: 0, FAILED: 1, VOID: 2 } as const;

describe('load tool', () => {
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      // in tables of a few rows it reads them all, and the tool counts rows
      env: { EXPIRY_SWEEP_SECONDS: '3600' },
    }));
    // as `npm start` does: this is how the tool finds a running stack
    expect(takeLock(stack.dir)).toBeUndefined();
    writeStackFile(stack, new Date().toISOString());
  }, 240_000);

  afterAll(async () => {
    if (stack) {
      removeStackFile(stack.dir);
      releaseLock(stack.dir);
    }
    await stop?.();
  });

  /** Runs the compiled tool against the stack. */
  async function load(...args: string[]): Promise<{ code: number | null; output: string }> {
    const file = join(projectRoot(), 'dist', 'tools', 'load', 'main.js');
    return runProgram(process.execPath, [file, ...args], {
      env: { ...process.env, TIDINGS_DATA_DIR: stack.dir },
      timeoutMs: RUN_MS,
    });
  }

  /** Runs one workload; its report and what it printed. */
  async function measured<T extends { verdict: { outcome: keyof typeof CODES } }>(
    name: string,
    args: string,
  ): Promise<{ runs: T[]; output: string }> {
    const json = join(stack.dir, `load-${name}.json`);
    const all = ['--workload', name, '--json', json, '--seed', '7', '--warmup', '0'];
    const { code, output } = await load(...all, ...args.split(' '));
    const { runs } = JSON.parse(readFileSync(json, 'utf8')) as { runs: T[] };
    const outcomes = runs.map(({ verdict }) => verdict.outcome);
    expect({ outcomes, output }).not.toMatchObject({
      outcomes: expect.arrayContaining(['FAILED']),
    });
    if (name !== 'baseline') {
      expect(output).toMatch(/ [0-9]+ accounts registered and logged in through HTTP/);
      expect(output).toMatch(/ [0-9]+ accounts of the load are removed/);
      expect(await leftAccounts()).toEqual([]);
    }
    expect(code).toBe(outcomes.includes('VOID') ? CODES.VOID : CODES.PASSED);
    return { runs, output };
  }

  /** Accounts of the tool that are there. */
  async function leftAccounts(): Promise<unknown[]> {
    const sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
    try {
      const text = "SELECT username FROM users WHERE email_key LIKE '%@example.invalid'";
      return (await sql.query(text)).rows;
    } finally {
      await sql.end();
    }
  }

  /** What the bare pipeline has left: tables, keys, a topic. */
  async function ofBaseline(): Promise<string[]> {
    const name = 'load_baseline_';
    const sql = new Client({ connectionString: stack.databaseUrl });
    const redis = new Redis(stack.redisUrl);
    const admin = createKafka({ brokers: [stack.brokers], clientId: 'test' })
      .instance()
      .admin();
    try {
      await Promise.all([sql.connect(), admin.connect()]);
      const { rows } = await sql.query<{ relname: string }>('SELECT relname FROM pg_class');
      const keys = await redis.keys(`*${name}*`);
      const all = [...rows.map((r) => r.relname), ...keys, ...(await admin.listTopics())];
      expect(all).toEqual(expect.arrayContaining(['messages', TOPICS.messages]));
      return all.filter((one) => one.includes(name));
    } finally {
      redis.disconnect();
      await Promise.all([sql.end(), admin.disconnect()]);
    }
  }

  it('every service tells the steps of its start', async () => {
    for (const { id, url } of Object.values(stack.nodes)) {
      const steps = stepsIn(await (await fetch(`${url}/metrics`)).text());
      expect({ id, first: Object.keys(steps)[0] }).toEqual({ id, first: 'program' });
      expect(steps.ready).toBeGreaterThan(steps.program!);
    }
  });

  const exact = {
    valid: true,
    unanswered: 0,
    errors: [],
  };

  it(
    'sends in pairs, over a bare pipeline and the product, and finds every message everywhere',
    async () => {
      const { runs, output } = await measured<RunReport>(
        'pairs',
        '--compare --users 4 --rate 20 --seconds 3',
      );
      expect(runs.map(({ subject }) => subject)).toEqual(['baseline', 'product']);
      for (const { result } of runs) {
        expect(result.ledger).toMatchObject({ ...exact, acknowledged: result.scheduled });
        expect(result.scheduled).toBeGreaterThan(20);
        expect(result.latency.delivered.count).toBe(result.scheduled);
        expect(result.latency.stored.count).toBe(result.scheduled);
      }
      expect(output).toMatch(/send → delivered p99 ms .* \d+\.\d\d$/m);
      expect(await ofBaseline()).toEqual([]);
    },
    RUN_MS,
  );

  it(
    'sends in groups of which not everybody is connected',
    async () => {
      const args = '--group-size 6 --online 4 --users 8 --deliveries 60 --seconds 3';
      const { runs } = await measured<RunReport>('groups', args);
      const { result, connect } = runs[0]!;
      expect(result.ledger).toMatchObject({ ...exact, acknowledged: result.scheduled });
      expect(connect.open).toBe(8);
      expect(result.latency.delivered.count).toBe(3 * result.scheduled);
    },
    RUN_MS,
  );

  it(
    'sends one schedule from two generators, with one ledger',
    async () => {
      const args = '--generators 2 --users 8 --rate 40 --seconds 4';
      const { runs, output } = await measured<RunReport>('pairs', args);
      const { result, connect, generators, cpuUsPerMessage } = runs[0]!;
      const [first, second] = generators;
      expect(generators.map(({ name }) => name)).toEqual(['generator-1', 'generator-2']);
      expect(result.ledger).toMatchObject({ ...exact, acknowledged: result.scheduled });
      // as many as one generator sends with this seed
      expect(result.scheduled).toBe(arrivals({ seed: 7, rate: 40, seconds: 4 }));
      expect(first!.scheduled + second!.scheduled).toBe(result.scheduled);
      for (const { scheduled, delivered, share } of generators) {
        expect(scheduled).toBeGreaterThan(40);
        expect(delivered.count).toBe(scheduled);
        expect(share).toBeGreaterThan(0);
      }
      expect(result.latency.delivered.count).toBe(result.scheduled);
      expect(result.latency.stored.count).toBe(result.scheduled);
      expect(connect.open).toBe(8);
      expect(Object.values(connect.byGateway)).toEqual([4, 4]);
      expect(cpuUsPerMessage).toMatchObject({
        'generator-1': expect.any(Number),
        'generator-2': expect.any(Number),
      });
      expect(output).toMatch(/generator-2 .* event loop late p99 /);
    },
    RUN_MS,
  );

  it(
    'has everybody read, and shows every read to the other',
    async () => {
      const { runs, output } = await measured<RunReport>(
        'receipts',
        '--users 4 --rate 20 --seconds 6',
      );
      expect(runs.map(({ result }) => result.receipts === null)).toEqual([true, false]);
      for (const { result } of runs) expect(result.ledger).toMatchObject(exact);
      const { receipts } = runs[1]!.result;
      expect(receipts).toMatchObject({ unseen: 0, invented: 0 });
      expect(receipts!.seen.count).toBeGreaterThanOrEqual(receipts!.reads);
      expect(output).toContain('p99 ms without → with receipts');
    },
    RUN_MS,
  );

  const talkers = '--users 24 --conversations 4 --history 12 --rate 5 --seconds 3';

  it(
    'connects as new devices, then with equal digests that read no message',
    async () => {
      const { runs } = await measured<SyncReport>('connects', talkers);
      expect(runs).toHaveLength(2);
      for (const { result } of runs) {
        expect(result.errors).toEqual([]);
        expect(result.right).toBe(result.scheduled);
        expect(result.latency.upgraded.count).toBe(result.runStarted);
      }
      expect(runs.map(({ rowsRead }) => rowsRead)).toEqual([null, 0]);
    },
    RUN_MS,
  );

  it(
    'syncs by calls that move no presence',
    async () => {
      const { runs } = await measured<SyncReport>('sync-http', talkers);
      const [calls, sockets] = runs;
      for (const { result } of runs) expect(result.right).toBe(result.scheduled);
      expect(calls).toMatchObject({ rowsRead: 0, presence: { events: 0, users: 0 } });
      expect(calls!.result.latency.synced.count).toBe(calls!.result.runStarted);
      expect(sockets!.presence!.events).toBeGreaterThan(0);
      expect(sockets!.result.latency.closed.count).toBe(sockets!.result.runStarted);
    },
    RUN_MS,
  );

  it(
    'changes presence, shows it to every watcher, and tells what it does to the messages',
    async () => {
      const args = '--users 60 --watched 5 --changes 3 --reconnects 1 --rate 10 --seconds 6';
      const { runs, output } = await measured<RunReport>('presence', args);
      const { result, churn } = runs[0]!;
      expect(result.ledger).toMatchObject({ ...exact, acknowledged: result.scheduled });
      const { sights, errors, seen, compared, runChanges } = result.presence!;
      expect({ errors, lost: sights.lost, compared }).toEqual({
        errors: [],
        lost: 0,
        compared: 300,
      });
      // some who watch may be away themselves
      expect(seen.state.count).toBeGreaterThan(2 * runChanges);
      expect(seen.state.count).toBeLessThanOrEqual(5 * runChanges);
      expect(churn!.serverCores.churn).toBeGreaterThan(0);
      expect(output).toMatch(/messages' p99 without → with changes: .*delivered .*× \d/);
    },
    RUN_MS,
  );

  it(
    'knows of servers nothing but their addresses, and reads back from the history what is stored',
    async () => {
      const json = join(stack.dir, 'load-servers.json');
      const servers = stack.gatewayUrls.flatMap((url) => ['--server', url]);
      const args = '--users 4 --rate 20 --warmup 0 --seconds 3 --seed 7 --generators 2'.split(' ');
      const { code, output } = await load(...servers, ...args, '--json', json);
      const { runs } = JSON.parse(readFileSync(json, 'utf8')) as { runs: RunReport[] };
      const { result, verdict, cpuUsPerMessage } = runs[0]!;
      expect({ code, reasons: verdict.reasons }).toMatchObject({ code: CODES[verdict.outcome] });
      expect(verdict.outcome).not.toBe('FAILED');
      expect(result.ledger).toMatchObject({ ...exact, acknowledged: result.scheduled });
      expect(result.latency.stored.count).toBe(0);
      expect(Object.keys(cpuUsPerMessage)).toEqual(['generator-1', 'generator-2']);
      expect(output).toMatch(/ 4 accounts logged in through HTTP; they stay/);
      expect(output).toMatch(/the servers: not known/);
    },
    RUN_MS,
  );

  it(
    'ends with a sentence when nobody gets in or there is nothing to measure',
    async () => {
      const nobody = await load('--gateways', 'http://127.0.0.1:9', '--users', '2', '--rate', '1');
      expect(nobody.code).toBe(CODES.VOID);
      expect(nobody.output).toMatch(/VOID: people cannot register and log in: .*127\.0\.0\.1:9/);
      const wrong = await load('--workload', 'storm');
      expect(wrong.code).toBe(CODES.FAILED);
      expect(wrong.output).toMatch(/--workload: one of pairs, groups/);
    },
    RUN_MS,
  );
});
