import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { signalTree } from '../support/process-tree';
import { metricOf } from '../support/service-report';
import { startTestStack } from '../support/test-stack';
import { CheapTalk, sendEvenly } from './cheap-talk';
import { FaultHistory } from './fault-history';

const PER_SECOND = 1_000;
const CONVERSATIONS = 20;
const WARM_UP_MS = 5_000;
const DOWN_MS = 60_000;
/** Sends go on while storage catches up, but not for longer than this. */
const MEANWHILE_MS = 10_000;
/** The longest time in which nobody of a conversation is pushed anything. */
const SILENCE_MS = 5_000;
const ROWS_A_STATEMENT = 100;
/** On an idle machine with 2 cores it is three times as many (docs/RELIABILITY.md). */
const FLOOR_PER_SECOND = 5_000;
/** Fewer show nothing about catching up. */
const BACKLOG = 5_000;
const RESULTS = join(__dirname, '../../.data/faults');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Records of the log that PostgreSQL has; `at`: monotonic milliseconds. */
interface Applied {
  at: number;
  records: number;
}

/** Rejects while PostgreSQL is away. */
async function applied(stack: Stack): Promise<Applied> {
  const client = new Client({
    connectionString: stack.databaseUrl,
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ records: string }>(
      'SELECT sum(next) AS records FROM log_progress',
    );
    return { at: performance.now(), records: Number(rows[0]!.records) };
  } finally {
    await client.end();
  }
}

/** What storage's instances have counted: rows and the statements that inserted them. */
async function counted(stack: Stack): Promise<{ rows: number; statements: number }> {
  const sum = async (name: string): Promise<number> => {
    const urls = ['storage-1', 'storage-2'].map((id) => stack.node(id).url);
    const values = await Promise.all(urls.map((url) => metricOf(url, name)));
    return values.reduce((a, b) => a + b, 0);
  };
  return {
    rows: await sum('storage_records_stored_total'),
    statements: await sum('storage_statements_total'),
  };
}

const OUTAGES = [
  {
    name: 'PostgreSQL hung for 60 s',
    begin: async ({ postgres }: Stack) => signalTree(postgres.pid, 'SIGSTOP'),
    end: async ({ postgres }: Stack) => signalTree(postgres.pid, 'SIGCONT'),
  },
  {
    name: 'PostgreSQL killed for 60 s',
    begin: async ({ postgres }: Stack) => void (await postgres.kill()),
    end: ({ postgres }: Stack) => postgres.restart(),
  },
];

describe.each(OUTAGES)('$name', ({ name, begin, end }) => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let stopSending = (): void => undefined;
  let history: FaultHistory;
  const talks: CheapTalk[] = [];

  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 2, presence: 1 },
    }));
    history = new FaultHistory(join(RESULTS, `${name.replace(/ /g, '-')}.jsonl`));
    for (let n = 0; n < CONVERSATIONS; n++) {
      talks.push(await CheapTalk.begin(stack.gatewayUrls, n, history));
    }
  }, 300_000);
  afterAll(async () => {
    stopSending();
    // a failure may have left it stopped
    if (stack) signalTree(stack.postgres.pid, 'SIGCONT');
    await stop?.();
    history?.close();
  }, 120_000);

  const acknowledged = (): number => talks.reduce((sum, talk) => sum + talk.acknowledged.size, 0);

  /** Storage has written all but the last second. */
  const caughtUp = () =>
    until(stack, ({ records }) => records >= CONVERSATIONS + acknowledged() - PER_SECOND);

  it('live chat goes on, storage catches up in batches, nothing is lost', async () => {
    // the creations of the conversations
    await until(stack, ({ records }) => records === CONVERSATIONS);
    stopSending = sendEvenly(talks, PER_SECOND);
    await pause(WARM_UP_MS);
    const before = await until(stack, ({ records }) => records > CONVERSATIONS);
    history.note('fault', name);
    await begin(stack);
    const struck = history.now();
    const sentBefore = acknowledged();
    await pause(DOWN_MS);
    const idle = await counted(stack);
    const backlog = CONVERSATIONS + acknowledged() - before.records;
    const meanwhile = acknowledged() - sentBefore;
    await end(stack);
    history.note('fault', `${name}: back`);
    const first = await until(stack, ({ records }) => records > before.records);
    const limit = setTimeout(stopSending, MEANWHILE_MS);
    const last = await caughtUp();
    clearTimeout(limit);
    const busy = await counted(stack);
    stopSending();
    await settled();
    const report = {
      fault: name,
      at: new Date().toISOString(),
      acknowledged: acknowledged(),
      sentPerSecond: Math.round(meanwhile / (DOWN_MS / 1000)),
      longestSilenceMs: history.silenceMs(struck, struck + DOWN_MS * 1e6),
      refusals: talks.reduce((sum, { refusals }) => sum + refusals, 0),
      backlog,
      rowsAStatement: Math.round((busy.rows - idle.rows) / (busy.statements - idle.statements)),
      storedPerSecond: Math.round((last.records - first.records) / ((last.at - first.at) / 1000)),
      caughtUpMs: Math.round(last.at - first.at),
    };
    appendFileSync(join(RESULTS, 'report.jsonl'), JSON.stringify(report) + '\n');
    console.log(JSON.stringify(report));

    for (const talk of talks) talk.check();
    for (const talk of talks) await talk.checkHistory();
    expect(history.check(BACKLOG)).toMatchObject({ valid: true, errors: [], unknownSends: 0 });
    // most of what was sent meanwhile waited in the log
    expect(backlog).toBeGreaterThan(Math.max(BACKLOG, meanwhile / 2));
    expect(report.longestSilenceMs).toBeLessThanOrEqual(SILENCE_MS);
    expect(report.rowsAStatement).toBeGreaterThanOrEqual(ROWS_A_STATEMENT);
    expect(report.storedPerSecond).toBeGreaterThanOrEqual(FLOOR_PER_SECOND);
    await Promise.all(talks.map((talk) => talk.end()));
  }, 400_000);

  /** Everything is answered and pushed. */
  async function settled(): Promise<void> {
    for (const talk of talks) {
      const done = () => {
        if (talk.unanswered > 0) talk.sendAgain();
        expect(talk.unanswered).toBe(0);
        expect(talk.pushed.length).toBe(talk.sent.length);
      };
      await eventually(done, 60_000, 2_000);
    }
    await until(stack, ({ records }) => records >= CONVERSATIONS + acknowledged());
  }
});

/** The first reading for which the check is true. */
function until(stack: Stack, check: (one: Applied) => boolean): Promise<Applied> {
  return eventually(
    async () => {
      const one = await applied(stack);
      expect(check(one)).toBe(true);
      return one;
    },
    120_000,
    50,
  );
}
