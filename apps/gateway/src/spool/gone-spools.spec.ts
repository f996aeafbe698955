import fc from 'fast-check';
import { GoneSpools } from './gone-spools';
import type { FoundSpool } from './spool-root';

const SECOND = 1_000;

const spool = (touchedAt: number | null, nodeId = 'gateway-1', dir = `/spools/${nodeId}/own-1`) =>
  ({ nodeId, dir, touchedAt }) satisfies FoundSpool;

interface Seen {
  touchedAt?: number | null;
  /** null: the directory does not answer. */
  live?: string[] | null;
  nodeId?: string;
  dir?: string;
  afterMs?: number;
}

/** What is gone by the last of these looks of gateway-2, each 2 s after the one before. */
function goneAfter(looks: readonly Seen[], ownId = 'gateway-2'): string[] {
  const gone = new GoneSpools(ownId);
  let now = 0;
  let last: string[] = [];
  for (const { touchedAt = 7, live = ['gateway-2'], nodeId, dir, afterMs = 2_000 } of looks) {
    now += afterMs;
    const spools = [spool(touchedAt, nodeId, dir)];
    last = gone
      .look({ spools, live: live && new Set(live), now })
      .map((one) => `${one.dir} ${one.silentMs}`);
  }
  return last;
}

const times = (n: number, seen: Seen = {}): Seen[] => Array.from({ length: n }, () => seen);

describe('a spool is gone', () => {
  it('when its node was in no directory and its lock untouched for 10 s', () => {
    expect(goneAfter(times(5))).toEqual([]);
    expect(goneAfter(times(6))).toEqual(['/spools/gateway-1/own-1 10000']);
    expect(goneAfter(times(6, { touchedAt: null }))).toHaveLength(1);
  });

  it.each<[string, Seen[]]>([
    ['its lock is touched', [...times(5), { touchedAt: 8 }]],
    ['its lock was touched in between', [...times(3), ...times(5, { touchedAt: 8 })]],
    ['its lock is given back only now', [...times(5), { touchedAt: null }]],
    ['its node is in the directory', times(9, { live: ['gateway-1', 'gateway-2'] })],
    [
      'its node came back in between',
      [...times(4), { live: ['gateway-1', 'gateway-2'] }, ...times(4)],
    ],
    ['the directory does not answer', [...times(8), { live: null }]],
    ['the directory did not answer in between', [...times(4), { live: null }, ...times(5)]],
    ['one has looked too rarely', times(2, { afterMs: 4_900 }).concat(times(1))],
    ['one was hung oneself', [...times(5), { afterMs: 60 * SECOND }]],
    ['another one has it now', [...times(5), { dir: '/spools/gateway-3/of-2' }]],
  ])('not when %s', (_name, looks) => {
    expect(goneAfter(looks)).toEqual([]);
  });

  it("of one's own node by its lock alone: this process is that node", () => {
    const own = { nodeId: 'gateway-2' };
    expect(goneAfter(times(6, own))).toHaveLength(1);
    expect(goneAfter([...times(5, own), { ...own, touchedAt: 8 }])).toEqual([]);
  });

  it('never within 10 s of any life sign, whatever is seen in which order', () => {
    const look = fc.record({
      touched: fc.boolean(),
      listed: fc.oneof(
        { weight: 6, arbitrary: fc.constant<boolean | null>(false) },
        fc.constantFrom<boolean | null>(true, null),
      ),
      afterMs: fc.integer({ min: 1, max: 6_000 }),
    });
    const rare = look.map((one) => ({ ...one, touched: false }));
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 9, arbitrary: rare }, look), { maxLength: 60 }),
        (looks) => {
          const gone = new GoneSpools('gateway-2');
          let now = 0;
          let touchedAt = 0;
          let lastSign = 0;
          for (const [i, { touched, listed, afterMs }] of looks.entries()) {
            now += afterMs;
            if (touched) touchedAt += 1;
            if (i === 0 || touched || listed !== false) lastSign = now;
            const live = listed === null ? null : new Set(listed ? ['gateway-1'] : []);
            const found = gone.look({ spools: [spool(touchedAt)], live, now });
            if (found.length > 0) expect(now - lastSign).toBeGreaterThanOrEqual(10 * SECOND);
          }
        },
      ),
    );
  });

  it('the longest silent first, and forgets what is not there any more', () => {
    const gone = new GoneSpools('gateway-2');
    const live = new Set(['gateway-2']);
    const [older, newer] = [spool(1), spool(1, 'gateway-3')];
    for (let now = 0; now <= 4_000; now += 2_000) gone.look({ spools: [older], live, now });
    let found: string[] = [];
    for (let now = 6_000; now <= 16_000; now += 2_000) {
      found = gone.look({ spools: [newer, older], live, now }).map(({ nodeId }) => nodeId);
    }
    expect(found).toEqual(['gateway-1', 'gateway-3']);
    gone.look({ spools: [], live, now: 18_000 });
    expect(gone.look({ spools: [older, newer], live, now: 20_000 })).toEqual([]);
  });
});
