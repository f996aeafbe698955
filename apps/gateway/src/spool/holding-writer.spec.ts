import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../../test/support/eventually';
import { FakeLog } from '../testing/fake-log';
import { CONVERSATION, FIRST_SENT_AT, heldId, heldRecord } from '../testing/held-records';
import { Drainer } from './drainer';
import { HoldingWriter } from './holding-writer';
import { lockDataDir } from './spool-place';
import { SpoolStore } from './spool-store';

let dataDir: string;
let end: () => Promise<void> = () => Promise.resolve();

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'holding-'));
});
afterEach(async () => {
  await end();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Two partitions; the one of the records here is number 0. */
async function setUp() {
  const log = new FakeLog();
  log.partitionOf = (key?: string) => (key === CONVERSATION ? 0 : 1);
  const lines: string[] = [];
  const logger = {
    warn: (fields: object, text: string) => lines.push(`${text} ${JSON.stringify(fields)}`),
    error: jest.fn(),
  } as never;
  const store = await SpoolStore.open({
    ...(await lockDataDir(dataDir)),
    partitions: 2,
    maxBytes: 1e6,
    logger,
    found: () => undefined,
    lost: () => undefined,
  });
  const judge = { judge: (all: readonly unknown[]) => Promise.resolve(all.map(() => APPEND)) };
  const answers = { drained: jest.fn(), known: jest.fn(), refused: jest.fn() };
  let now = 0;
  const holding = new HoldingWriter({
    writer: log,
    store,
    logger,
    drainer: new Drainer({ judge, answers, logger }),
    clock: () => now,
    wallClock: () => FIRST_SENT_AT,
  });
  end = async () => {
    await holding.stop({ flushMs: 0 });
    await store.close();
  };
  const results: string[] = [];
  const send = (n: number, key = CONVERSATION) =>
    holding.append({ ...heldRecord(n), key }, (result) =>
      results.push(`${n} ${result.ok ? 'ok' : result.reason}`),
    );
  return { log, lines, store, holding, send, results, pass: (ms: number) => (now += ms) };
}

const APPEND = { append: true } as const;

describe('a writer that holds', () => {
  it('says when an outage begins, and when it ends how long it was and how many were held', async () => {
    const { log, lines, store, holding, send, results, pass } = await setUp();
    log.away = true;
    send(0);
    holding.stalled(0);
    send(1);
    await eventually(() => expect(results).toEqual(['0 held', '1 held']));
    expect([store.entries, store.oldestAt, holding.heldTotal]).toEqual([2, FIRST_SENT_AT, 2]);
    expect(store.bytes).toBeGreaterThan(0);
    pass(3_000);
    log.comeBack();
    await eventually(() => expect(lines).toHaveLength(2));
    expect(lines[0]).toContain('sends are held on disk');
    expect(lines[1]).toContain('{"ms":3000,"held":2}');
    expect([store.entries, store.bytes, store.oldestAt]).toEqual([0, 0, null]);
    expect(log.ids).toEqual([`${heldId(0)}+`, `${heldId(1)}+`]);
    expect(holding.drained).toEqual({ entries: 2, batches: 2 });
  });

  it('leaves the other partitions alone', async () => {
    const { log, holding, send, results, store } = await setUp();
    log.away = true;
    send(0);
    holding.stalled(0);
    await eventually(() => expect(log.queued).toBe(1));
    send(1, 'another conversation');
    expect(log.queued).toBe(2);
    await eventually(() => expect(results).toEqual(['0 held']));
    expect(store.entries).toBe(1);
  });

  it('will not open a spool of more partitions than the log has, nor one that is in use', async () => {
    const { log, holding, send, results } = await setUp();
    const options = { maxBytes: 1e6, logger: { warn: jest.fn(), error: jest.fn() } };
    const hooks = { found: () => undefined, lost: () => undefined };
    const open = async (partitions: number) => {
      const place = await lockDataDir(dataDir);
      return SpoolStore.open({ ...options, ...hooks, ...place, partitions } as never);
    };
    await expect(open(2)).rejects.toThrow('in use');
    log.away = true;
    log.partitionOf = () => 1;
    holding.append(heldRecord(0), () => undefined);
    holding.stalled(1);
    send(1);
    await eventually(() => expect(results).toEqual(['1 held']));
    await end();
    await expect(open(1)).rejects.toThrow('holds partition 1, but the log has 1');
    const store = await open(2);
    expect(store.entries).toBe(2);
    end = () => store.close();
  });
});
