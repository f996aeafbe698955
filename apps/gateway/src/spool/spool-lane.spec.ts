import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TidingsError } from '@tidings/protocol/errors';
import { eventually } from '../../../../test/support/eventually';
import { FakeLog } from '../testing/fake-log';
import { FIRST_SENT_AT, heldId, heldRecord } from '../testing/held-records';
import type { Verdict } from './drain-judge';
import { Drainer } from './drainer';
import { PartitionSpool } from './partition-spool';
import { SpoolBudget } from './spool-budget';
import { writeDurably } from './spool-files';
import { encodeEntry } from './spool-format';
import { SpoolLane } from './spool-lane';
import type { SpooledMessage } from './spooled-message';

const ENTRY_BYTES = encodeEntry(heldRecord(1)).length;
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

let dir: string;
const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lane-'));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(dir, { recursive: true, force: true });
});

/** Judges everything as the test says; `held` back while `gate` is a promise. */
function judging(world: {
  gate?: Promise<void>;
  unclear?: boolean;
  verdicts: Map<string, Verdict>;
  /** How often it was asked. */
  calls: number;
}) {
  return {
    judge: async (messages: readonly SpooledMessage[]): Promise<Verdict[] | null> => {
      world.calls++;
      await world.gate;
      if (world.unclear) return null;
      return messages.map(({ messageId }) => world.verdicts.get(messageId) ?? { append: true });
    },
  };
}

async function setUp(options: { maxBytes?: number } = {}) {
  const log = new FakeLog();
  const write = jest.fn(writeDurably);
  const bytes = options.maxBytes ?? 1e9;
  const spool = new PartitionSpool({
    dir: join(dir, '0'),
    budget: new SpoolBudget({ inAll: bytes, perPartition: bytes, unwritten: 1e9 }),
    onDamage: jest.fn(),
    onLost: jest.fn(),
    write,
  });
  await spool.open(() => undefined);
  const world: Parameters<typeof judging>[0] = { verdicts: new Map(), calls: 0 };
  const events: string[] = [];
  const short = (message: SpooledMessage) => Number(message.messageId.slice(-12));
  const drainer = new Drainer({
    judge: judging(world),
    answers: {
      drained: (all) => events.push(...all.map(({ message }) => `drained ${short(message)}`)),
      known: (message, first) => events.push(`known ${short(message)} ${first.position}`),
      refused: (message, error) => events.push(`${error.code} ${short(message)}`),
    },
    logger: { warn: jest.fn(), error: jest.fn() },
  });
  const lane = new SpoolLane({
    partition: 0,
    writer: log,
    spool,
    drainer,
    pauseMs: 5,
    cutEveryMs: 0,
    wallClock: () => FIRST_SENT_AT,
    onHolding: (holding) => events.push(holding ? 'holding' : 'open'),
    onHeld: () => undefined,
    onError: (error) => events.push(String(error)),
  });
  ends.push(async () => {
    const stopped = lane.stop();
    await log.stop();
    await stopped;
    await spool.close();
  });
  const send = (n: number, over: { expiresAt?: string } = {}) =>
    lane.append(heldRecord(n, over), (result) =>
      events.push(`${result.ok ? 'ok' : result.reason} ${n}`),
    );
  return { log, spool, lane, world, events, send, write };
}

/** A partition that holds messages 0 to 2: 0 and 1 were out or queued when it stalled. */
async function holding(options: { maxBytes?: number } = {}) {
  const lane = await setUp(options);
  lane.log.away = true;
  lane.send(0);
  lane.send(1);
  lane.lane.stalled();
  lane.send(2);
  await eventually(() => expect(lane.spool.size).toBe(3));
  return lane;
}

const logged = (from: number, to: number) => range(from, to).map((n) => `${heldId(n)}+`);

describe('a partition that takes records', () => {
  it('gets them from the writer alone', async () => {
    const { log, send, events, spool } = await setUp();
    send(0);
    await eventually(() => expect(events).toEqual(['ok 0']));
    expect([log.ids, spool.empty]).toEqual([[heldId(0)], true]);
  });
});

describe('a partition that stalls', () => {
  it('has what was out, then what was queued, then what comes, held in that order', async () => {
    const { events, spool, log } = await holding();
    expect(events).toEqual(['holding', 'held 0', 'held 1', 'held 2']);
    const entries = await spool.peek({ records: 9, bytes: 1e6 });
    expect(entries.map(({ record }) => record.id)).toEqual([0, 1, 2].map(heldId));
    expect(log.ids).toEqual([]);
  });

  it('drains in order, marked again, when the log is back, and then takes records as before', async () => {
    const { events, log, send, spool, lane } = await holding();
    await eventually(() => expect(log.queued).toBe(1));
    log.comeBack();
    await eventually(() => expect(events.at(-1)).toBe('open'));
    send(3);
    await eventually(() => expect(events.at(-1)).toBe('ok 3'));
    expect(log.ids).toEqual([...logged(0, 3), heldId(3)]);
    expect(events.slice(4)).toEqual(['drained 0', 'drained 1', 'drained 2', 'open', 'ok 3']);
    expect([spool.empty, spool.oldestAt]).toEqual([true, null]);
    lane.stalled();
    await eventually(() => expect(events.slice(-2)).toEqual(['holding', 'open']));
  });

  it('tries with one record until the log takes it', async () => {
    const { log, lane, spool, events } = await holding();
    for (let tries = 0; tries < 3; tries++) {
      await eventually(() => expect(log.queued).toBe(1));
      lane.stalled();
      expect(log.queued).toBe(0);
    }
    expect([spool.size, log.ids]).toEqual([3, []]);
    expect(events).toEqual(['holding', 'held 0', 'held 1', 'held 2']);
  });

  it('holds what comes while it drains, behind the rest', async () => {
    const { log, send, events, world } = await holding();
    await eventually(() => expect(log.queued).toBe(1));
    send(3);
    log.comeBack();
    send(4);
    await eventually(() => expect(events).toContain('open'));
    expect(log.ids.slice(0, 4)).toEqual(logged(0, 4));
    expect(log.ids[4]!.slice(0, 36)).toBe(heldId(4));
    expect(world.verdicts.size).toBe(0);
  });

  it('sends at the end of the drain follow in the log, without the disk', async () => {
    const { log, send, events, world, write } = await holding();
    await eventually(() => expect(log.queued).toBe(1));
    let open: () => void = () => undefined;
    world.gate = new Promise((resolve) => (open = resolve));
    log.comeBack();
    await eventually(() => expect(log.ids).toEqual(logged(0, 1)));
    await eventually(() => expect(events).toContain('drained 0'));
    await eventually(() => expect(world.calls).toBe(2));
    const writes = write.mock.calls.length;
    for (const n of [3, 4]) expect(send(n)).toBe(true);
    expect(log.ids).toHaveLength(1);
    open();
    await eventually(() => expect(events.at(-1)).toBe('open'));
    expect(log.ids).toEqual([...logged(0, 3), heldId(3), heldId(4)]);
    expect(write.mock.calls.length).toBe(writes);
    expect(events).not.toContain('held 3');
  });

  it('that goes away again at the end of the drain holds what followed', async () => {
    const { log, send, events, world, lane, spool } = await holding();
    await eventually(() => expect(log.queued).toBe(1));
    let open: () => void = () => undefined;
    world.gate = new Promise((resolve) => (open = resolve));
    log.comeBack();
    await eventually(() => expect(events).toContain('drained 0'));
    await eventually(() => expect(world.calls).toBe(2));
    send(3);
    log.away = true;
    open();
    await eventually(() => expect(log.queued).toBe(3));
    send(4);
    expect(log.queued).toBe(4);
    lane.stalled();
    send(5);
    await eventually(() => expect(events.slice(-3)).toEqual(['held 3', 'held 4', 'held 5']));
    expect(spool.size).toBe(5);
    log.comeBack();
    await eventually(() => expect(events.at(-1)).toBe('open'));
    expect(log.ids).toEqual(logged(0, 6));
  });

  it('waits while nobody can tell who is a member', async () => {
    const { log, world, events, send, spool } = await holding();
    world.unclear = true;
    await eventually(() => expect(log.queued).toBe(1));
    log.comeBack();
    await eventually(() => expect(log.ids).toEqual(logged(0, 1)));
    send(3);
    await eventually(() => expect(events.at(-1)).toBe('held 3'));
    expect(spool.size).toBe(3);
    world.unclear = false;
    await eventually(() => expect(events.at(-1)).toBe('open'));
    expect(log.ids).toEqual(logged(0, 4));
  });

  it('leaves out what its sender may not send any more, and what storage has already', async () => {
    const { log, world, events } = await holding();
    const first = { position: '7', senderId: 's', contentHash: null, sentAt: '', expiresAt: null };
    world.verdicts.set(heldId(1), { refused: new TidingsError('no_such_conversation') });
    world.verdicts.set(heldId(2), { known: first });
    await eventually(() => expect(log.queued).toBe(1));
    log.comeBack();
    await eventually(() => expect(events.at(-1)).toBe('open'));
    expect(log.ids).toEqual(logged(0, 1));
    expect(events.slice(4).sort()).toEqual(
      ['drained 0', 'no_such_conversation 1', 'known 2 7', 'open'].sort(),
    );
  });

  it('refuses what does not fit, and all that was queued behind it', async () => {
    const lane = await setUp({ maxBytes: ENTRY_BYTES * 2 });
    const { events, log, send } = lane;
    log.away = true;
    for (const n of range(0, 5)) send(n);
    lane.lane.stalled();
    expect(events).toEqual(['holding', 'full 2', 'full 3', 'full 4']);
    await eventually(() => expect(events.slice(4)).toEqual(['held 0', 'held 1']));
    expect(send(5)).toBe(true);
    expect(events.at(-1)).toBe('full 5');
    await eventually(() => expect(log.queued).toBe(1));
    log.comeBack();
    await eventually(() => expect(events.at(-1)).toBe('open'));
    expect(log.ids).toEqual(logged(0, 2));
  });

  it('takes records again when nothing could be held', async () => {
    const lane = await setUp({ maxBytes: 0 });
    const { events, log, send } = lane;
    log.away = true;
    send(0);
    lane.lane.stalled();
    expect(events).toEqual(['holding', 'full 0', 'open']);
    log.comeBack();
    send(1);
    await eventually(() => expect(events.at(-1)).toBe('ok 1'));
  });

  it('refuses what the disk does not take', async () => {
    const lane = await setUp();
    const { events, log, send, write, spool } = lane;
    log.away = true;
    const full = Object.assign(new Error('no room'), { code: 'ENOSPC' });
    write.mockRejectedValueOnce(new Error('EIO')).mockRejectedValueOnce(full);
    send(0);
    lane.lane.stalled();
    await eventually(() => expect(events).toContain('not_stored 0'));
    await eventually(() => expect(events.at(-1)).toBe('open'));
    send(1);
    lane.lane.stalled();
    await eventually(() => expect(events).toContain('full 1'));
    expect(spool.size).toBe(0);
  });

  it('cuts out what expires while it waits, and keeps its place in the order', async () => {
    const { lane, events, log, send } = await setUp();
    const spooled = () => readFileSync(join(dir, '0', readdirSync(join(dir, '0')).sort()[0]!));
    log.away = true;
    send(0);
    send(1, { expiresAt: new Date(FIRST_SENT_AT).toISOString() });
    send(2, { expiresAt: new Date(FIRST_SENT_AT + 1).toISOString() });
    lane.stalled();
    await eventually(() => expect(log.queued).toBe(1));
    lane.stalled();
    await eventually(() => expect(spooled().includes('text 1')).toBe(false));
    expect(spooled().includes('text 2')).toBe(true);
    await eventually(() => expect(log.queued).toBe(1));
    log.comeBack();
    await eventually(() => expect(events.at(-1)).toBe('open'));
    expect(log.ids).toEqual([0, 1, 2].map((n) => `${heldId(n)}+`));
  });

  it('holds messages only: other records are refused, outcome unknown', async () => {
    const { lane, events, log } = await setUp();
    log.away = true;
    const other = { ...heldRecord(0), type: 'tidings.other.v1' };
    lane.append(other, (result) => events.push(result.ok ? 'ok' : result.reason));
    lane.stalled();
    expect(events).toEqual(['holding', 'stopped', 'open']);
  });

  it('leaves what is held on the disk when it stops', async () => {
    const { lane, log, spool, send } = await holding();
    const stopped = lane.stop();
    await log.stop();
    await stopped;
    expect([spool.size, send(9)]).toEqual([3, false]);
  });
});

it('a new process drains what the last one left, and sends of now come behind', async () => {
  const old = await holding();
  await ends.pop()!();
  expect(old.spool.size).toBe(3);
  const { log, lane, events, send, spool } = await (async () => {
    const next = await setUp();
    return next;
  })();
  expect([spool.size, spool.oldestAt]).toEqual([3, FIRST_SENT_AT]);
  log.away = true;
  lane.start();
  send(3);
  await eventually(() => expect(events.at(-1)).toBe('held 3'));
  log.comeBack();
  await eventually(() => expect(events.at(-1)).toBe('open'));
  expect(log.ids).toEqual(logged(0, 4));
});
