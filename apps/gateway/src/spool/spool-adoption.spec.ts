import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics } from '@tidings/common/runtime/metrics';
import { pause } from '@tidings/common/runtime/waiting';
import { eventually } from '../../../../test/support/eventually';
import { SpoolAdoption, type Emptying } from './spool-adoption';
import { SpoolRoot } from './spool-root';
import type { LockedDir } from './spool-store';

let root: string;
const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'adoption-'));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(root, { recursive: true, force: true });
});

const ID = '00000000-0000-4000-8000-000000000000';

/** What a gateway that is gone has left: `messages` false: nothing. */
function left(nodeId: string, messages = true): string {
  const dir = join(root, nodeId, `own-${ID}`);
  mkdirSync(join(dir, '0'), { recursive: true });
  writeFileSync(join(dir, 'lock'), JSON.stringify({ pid: 1, host: 'gone', began: '1' }));
  if (messages) writeFileSync(join(dir, '0', `${'0'.repeat(16)}.spool`), 'x');
  return dir;
}

/** A gateway-2 that looks all the time, 2 s apart by its clock. */
function setUp(options: { stepMs?: number } = {}) {
  const world = {
    live: ['gateway-2'] as string[] | null,
    logAnswers: true,
    unreadable: [] as string[],
    /** Whom each spool that was opened was of, and how to end it. */
    opened: [] as { place: LockedDir; entries: number; end: () => void; closed: boolean }[],
  };
  const metrics = new Metrics({ service: 'gateway', node: 'gateway-2' });
  const lines: string[] = [];
  const tell = (fields: object, text: string) =>
    lines.push(`${text} ${String((fields as { of?: string }).of)}`);
  let now = 0;
  const empty = async (place: LockedDir): Promise<Emptying> => {
    if (world.unreadable.length > 0) {
      await place.lock.release();
      throw new Error(world.unreadable.join());
    }
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const one = { place, entries: 3, end, closed: false };
    world.opened.push(one);
    return {
      get entries() {
        return one.entries;
      },
      ended,
      close: async () => {
        one.closed = true;
        end();
        await place.lock.release();
      },
    };
  };
  const adoption = new SpoolAdoption({
    nodeId: 'gateway-2',
    root: new SpoolRoot(root, 'gateway-2', join(root, '.data')),
    ownDir: join(root, 'gateway-2', `own-${ID}`),
    live: () => (world.live ? Promise.resolve(world.live) : Promise.reject(new Error('Redis'))),
    logAnswers: () => Promise.resolve(world.logAnswers),
    empty,
    metrics,
    logger: { warn: tell, error: tell } as never,
    clock: () => (now += options.stepMs ?? 2_000),
    lookEveryMs: 1,
  });
  ends.push(() => adoption.stop());
  adoption.start();
  const value = async (name: string) => {
    const found = await metrics.registry.getSingleMetric(`tidings_${name}`)!.get();
    return found.values[0]?.value ?? 0;
  };
  /** It was emptied. */
  const sent = (n: number) => {
    world.opened[n]!.entries = 0;
    world.opened[n]!.end();
  };
  return { world, adoption, lines, value, sent };
}

/** Long enough for many looks. */
const MANY_LOOKS_MS = 150;

describe('the adoption of spools', () => {
  it('takes what a gateway that is gone has left, and removes it when it is empty', async () => {
    const dir = left('gateway-1');
    const { world, lines, value, sent } = setUp();
    await eventually(() => expect(world.opened).toHaveLength(1));
    const [one] = world.opened;
    expect(one!.place.dir.startsWith(join(root, 'gateway-2', 'of-'))).toBe(true);
    expect(existsSync(dir)).toBe(false);
    await eventually(async () => {
      expect(await value('spool_adopted_entries')).toBe(3);
      expect(await value('spools_left')).toBe(0);
    });
    sent(0);
    await eventually(() => expect(existsSync(one!.place.dir)).toBe(false));
    await eventually(() =>
      expect(lines).toEqual([
        'a gateway is gone: what it held is sent from here gateway-1',
        'nothing is left of what a gateway that is gone held gateway-1',
      ]),
    );
    expect(existsSync(join(root, 'gateway-1'))).toBe(false);
    expect([await value('spools_adopted_total'), await value('spool_adopted_entries')]).toEqual([
      1, 0,
    ]);
  });

  it('takes one at a time', async () => {
    for (const node of ['gateway-1', 'gateway-3', 'gateway-4']) left(node);
    const { world, value, sent } = setUp();
    for (const n of [0, 1, 2]) {
      await eventually(async () => expect(await value('spools_left')).toBe(2 - n));
      await pause(MANY_LOOKS_MS);
      expect(world.opened).toHaveLength(n + 1);
      sent(n);
    }
  });

  it.each([
    ['Redis does not answer', { live: null }],
    ['its node lives', { live: ['gateway-1', 'gateway-2'] }],
    ['it is in no directory itself', { live: [] }],
    ['the log does not answer', { logAnswers: false }],
  ])('takes nothing while %s', async (_name, over) => {
    const dir = left('gateway-1');
    const { world } = setUp();
    Object.assign(world, over);
    await pause(MANY_LOOKS_MS);
    expect([existsSync(dir), world.opened.length]).toEqual([true, 0]);
    Object.assign(world, { live: ['gateway-2'], logAnswers: true });
    await eventually(() => expect(world.opened).toHaveLength(1));
  });

  it('never takes the spool to which it writes itself', async () => {
    const dir = left('gateway-2');
    const { world } = setUp();
    await pause(MANY_LOOKS_MS);
    expect([existsSync(dir), world.opened.length]).toEqual([true, 0]);
  });

  it('keeps what it cannot open, counts and tells it once a minute, and tries it again', async () => {
    left('gateway-1');
    const { world, lines, value, sent } = setUp({ stepMs: 1_000 });
    world.unreadable = ['EIO'];
    await eventually(async () =>
      expect(await value('spool_adoption_failures_total')).toBeGreaterThan(3),
    );
    const failures = await value('spool_adoption_failures_total');
    expect(lines.length).toBeLessThan(failures);
    expect(lines[0]).toContain('cannot be sent gateway-1');
    expect(readdirSync(join(root, 'gateway-2'))).toHaveLength(1);
    world.unreadable = [];
    await eventually(() => expect(world.opened).toHaveLength(1));
    sent(0);
    await eventually(() => expect(readdirSync(join(root, 'gateway-2'))).toEqual([]));
    expect(readdirSync(root)).toEqual(['gateway-2']);
  });

  it('removes a spool without messages when its gateway has been gone for ten minutes', async () => {
    const dir = left('gateway-1', false);
    const { world, sent } = setUp({ stepMs: 4_000 });
    await pause(MANY_LOOKS_MS / 5);
    expect(world.opened).toHaveLength(0);
    await eventually(() => expect(world.opened).toHaveLength(1));
    sent(0);
    await eventually(() => expect(existsSync(join(root, 'gateway-1'))).toBe(false));
    expect(existsSync(dir)).toBe(false);
  });

  it('leaves what it has not sent when it stops', async () => {
    left('gateway-1');
    const { world, adoption } = setUp();
    await eventually(() => expect(world.opened).toHaveLength(1));
    await adoption.stop();
    const [one] = world.opened;
    expect([one!.closed, existsSync(one!.place.dir)]).toEqual([true, true]);
    expect(readdirSync(one!.place.dir)).toEqual(['0']);
  });
});
