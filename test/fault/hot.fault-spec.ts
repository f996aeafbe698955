import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { RunReport } from '../../tools/load/measure';
import { quantile } from '../../tools/load/silence';
import { releaseLock, takeLock } from '../../tools/stack/lock';
import { projectRoot } from '../../tools/stack/paths';
import { runProgram } from '../../tools/stack/run-program';
import type { Stack } from '../../tools/stack/stack';
import { removeStackFile, writeStackFile } from '../../tools/stack/stack-file';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';
import { CheapTalk, sendEvenly } from './cheap-talk';
import { downFor } from './fault';
import { FaultHistory } from './fault-history';

const MEMBERS = 500;
/** Messages a second to the large group: 500 pushes each. Two cores take no more beside the harness. */
const HOT_PER_SECOND = Number(process.env['HOT_RATE'] ?? 8);
const TALKS = 10;
const TALKS_PER_SECOND = 40;
const PHASE_MS = 15_000;
/** Quiet and hot in turns. */
const TURNS = 2;
/** The p99 of the others may be so many times what it is without, and so much more anyway. */
const RATIO = 2;
const ANYWAY_MS = 50;
/** Connecting the members, their messages, and looking whether everybody has everything. */
const CROWD_MS = 240_000;
const RESULTS = join(__dirname, '../../.data/faults');

describe('a conversation of 500 that is hot', () => {
  let stack: Stack;
  let stop: (() => Promise<void>) | undefined;
  let history: FaultHistory;
  let stopSending = (): void => undefined;

  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 1, presence: 1 },
    }));
    history = new FaultHistory(join(RESULTS, 'hot.jsonl'));
    // as `npm start` does: this is how the load tool finds a running stack
    expect(takeLock(stack.dir)).toBeUndefined();
    writeStackFile(stack, new Date().toISOString());
  }, 300_000);
  afterAll(async () => {
    stopSending();
    if (stack) {
      removeStackFile(stack.dir);
      releaseLock(stack.dir);
    }
    await stop?.();
    history?.close();
  }, 120_000);

  it('reaches all of its members, and the messages of others take no longer', async () => {
    const talks: CheapTalk[] = [];
    for (let n = 0; n < TALKS; n++)
      talks.push(await CheapTalk.begin(stack.gatewayUrls, n, history));
    stopSending = sendEvenly(talks, TALKS_PER_SECOND);
    await downFor(PHASE_MS);

    const quiet: number[] = [];
    const hot: number[] = [];
    let said = 0;
    for (let turn = 0; turn < TURNS; turn++) {
      const begin = Date.now();
      await downFor(PHASE_MS);
      quiet.push(...delaysOf(talks, begin, Date.now()));
      await crowd(stack, turn);
      const { from, to, count } = await saidToAll(stack);
      said += count;
      hot.push(...delaysOf(talks, from, to));
    }
    stopSending();
    const inMs = (values: number[]) => ({
      p50: Math.round(quantile(values, 0.5)),
      p99: Math.round(quantile(values, 0.99)),
    });
    const figures = { quietMs: inMs(quiet), hotMs: inMs(hot) };
    const ratio = Number((figures.hotMs.p99 / figures.quietMs.p99).toFixed(2));
    const report = { fault: 'hot conversation', at: new Date().toISOString(), MEMBERS, said };
    const line = JSON.stringify({ ...report, perSecond: HOT_PER_SECOND, ...figures, ratio });
    appendFileSync(join(RESULTS, 'report.jsonl'), `${line}\n`);
    console.log(line);
    expect(said).toBeGreaterThan((TURNS * HOT_PER_SECOND * PHASE_MS) / 2_000);
    expect(figures.hotMs.p99).toBeLessThanOrEqual(RATIO * figures.quietMs.p99 + ANYWAY_MS);
    for (const talk of talks) {
      await eventually(() => expect(talk.unanswered).toBe(0), 30_000);
      await eventually(() => expect(talk.pushed.length).toBe(talk.sent.length), 30_000);
      talk.check();
      await talk.end();
    }
  }, 900_000);
});

/**
 * A group whose members all listen, in a process of its own: what it is pushed must not keep waiting whoever
 * measures. The tool finds each message at each member, once and in order.
 */
async function crowd(stack: Stack, turn: number): Promise<void> {
  const json = join(stack.dir, `crowd-${turn}.json`);
  const sizes = ['--group-size', String(MEMBERS), '--online', String(MEMBERS)];
  const times = ['--warmup', '0', '--seconds', String(PHASE_MS / 1_000)];
  const rate = ['--users', String(MEMBERS), '--rate', String(HOT_PER_SECOND)];
  const args = ['--workload', 'groups', ...sizes, ...rate, ...times, '--runs', '1', '--json', json];
  const file = join(projectRoot(), 'dist', 'tools', 'load', 'main.js');
  const { output } = await runProgram(process.execPath, [file, ...args], {
    env: { ...process.env, TIDINGS_DATA_DIR: stack.dir },
    timeoutMs: CROWD_MS,
  });
  const { runs } = JSON.parse(readFileSync(json, 'utf8')) as { runs: RunReport[] };
  // late sends void its own figures, not what reached whom
  expect({ outcomes: runs.map(({ verdict }) => verdict.outcome), output }).toMatchObject({
    outcomes: [expect.stringMatching(/^(?:PASSED|VOID)$/)],
  });
}

/** When the newest group was said something, first and last, Unix milliseconds; and how often. */
async function saidToAll({
  databaseUrl,
}: Stack): Promise<{ from: number; to: number; count: number }> {
  const sql = new Client({ connectionString: databaseUrl });
  await sql.connect();
  try {
    const { rows } = await sql.query<{ from: number; to: number; count: number }>(
      `SELECT 1000 * date_part('epoch', min(sent_at)) AS from,
         1000 * date_part('epoch', max(sent_at)) AS to, count(*)::int
       FROM messages WHERE kind <> 'event' AND conversation_id =
         (SELECT id FROM conversations WHERE kind = 'group' ORDER BY created_position DESC LIMIT 1)`,
    );
    return rows[0]!;
  } finally {
    await sql.end();
  }
}

/** How long each message of the others took that arrived in this time, milliseconds. */
function delaysOf(talks: readonly CheapTalk[], from: number, to: number): number[] {
  const within = (at: number): boolean =>
    performance.timeOrigin + at >= from && performance.timeOrigin + at <= to;
  return talks.flatMap(({ arrivals, delays }) => delays.filter((_, n) => within(arrivals[n]!)));
}
