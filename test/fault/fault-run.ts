import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack, StackOptions } from '../../tools/stack/stack';
import { DURABLE, startTestStack } from '../support/test-stack';
import { FaultHistory } from './fault-history';
import { holdsTogether } from './holds-together';
import { Workload } from './workload';

const CONVERSATIONS = 20;
const RESULTS = join(__dirname, '../../.data/faults');

/** A stack with people who chat, for one `describe`: made before its tests, ended behind them. */
export interface FaultRun {
  readonly stack: Stack;
  readonly workload: Workload;
  readonly history: FaultHistory;
}

/**
 * Announces the run of a fault. Its parts are there when the tests run, not before. `name`: its history is
 * kept under it.
 */
export function faultRun(name: string, options: Partial<StackOptions>): FaultRun {
  const run: { -readonly [K in keyof FaultRun]?: FaultRun[K] } = {};
  let stop: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    const started = await startTestStack(options);
    ({ stop } = started);
    run.stack = started.stack;
    run.history = new FaultHistory(join(RESULTS, `${name.replace(/[^a-zA-Z0-9]+/g, '-')}.jsonl`));
    run.workload = new Workload(run.stack.gatewayUrls, run.history);
    await run.workload.prepare(CONVERSATIONS);
  }, 300_000);
  afterAll(async () => {
    await run.workload?.stop();
    await stop?.();
    run.history?.close();
  }, 120_000);
  return run as FaultRun;
}

/** Keeps the figures of a run as one line, and shows them. */
export function reportFault<R extends object>(fault: string, figures: R): R {
  const line = JSON.stringify({ fault, at: new Date().toISOString(), fsync: DURABLE, ...figures });
  mkdirSync(RESULTS, { recursive: true });
  appendFileSync(join(RESULTS, 'report.jsonl'), `${line}\n`);
  console.log(line);
  return figures;
}

/**
 * All of the so many sends were acknowledged, at least `enough`; every copy is the same, nothing is there
 * twice or in another order.
 */
export async function nothingIsWrong(
  { workload, history }: FaultRun,
  { sends, enough }: { sends: number; enough: number },
): Promise<void> {
  for (const talk of workload.talks) await holdsTogether(workload, talk, history);
  expect(workload.failed).toEqual([]);
  expect(workload.acknowledged).toHaveLength(sends);
  expect(history.check(enough)).toMatchObject({ valid: true, errors: [], unknownSends: 0 });
}
