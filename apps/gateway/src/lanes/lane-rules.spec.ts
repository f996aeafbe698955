import fc from 'fast-check';
import { LANES } from '@tidings/protocol/lanes';
import {
  CALM_MS,
  CALM_PART,
  HELPS_WITHIN_MS,
  lanesOf,
  loadOf,
  nextShedding,
  NOTHING_SHED,
  type Pressure,
  REFUSE_TEXT_AT,
  RISING_LOOKS,
  SHED_AT,
  type Shedding,
} from './lane-rules';

const LOOK_MS = 1_000;
const THRESHOLDS = { loopDelayMs: 100, queuedRecords: 10, inboxEntries: 20, lagSeconds: 5 };
const NONE: Pressure = { loopDelayMs: 0, queuedRecords: 0, inboxEntries: 0, lagSeconds: 0 };

/** All that was seen, look by look, when the loop was so many times its threshold late. */
function looks(loads: readonly number[], begin: Shedding = NOTHING_SHED, of = 'loopDelayMs') {
  const seen = [begin];
  loads.forEach((load, i) => {
    const name = of as keyof Pressure;
    const pressure = { ...NONE, [name]: load * THRESHOLDS[name] };
    seen.push(nextShedding(seen.at(-1)!, pressure, THRESHOLDS, i * LOOK_MS));
  });
  return seen.slice(1);
}
const levels = (...of: Parameters<typeof looks>) => looks(...of).map(({ level }) => level);
const times = (count: number, load: number): number[] => new Array<number>(count).fill(load);
const LONG = CALM_MS / LOOK_MS;
/** All lanes are shed, and have been for long enough. */
const FULL: Shedding = {
  ...NOTHING_SHED,
  level: LANES.length,
  neededAt: LANES.map(() => -LOOK_MS),
  fullSince: -HELPS_WITHIN_MS,
};

describe('what is shed', () => {
  it.each([
    ['nothing below the threshold', 0.99, []],
    ['typing first', SHED_AT.typing, ['typing']],
    ['then presence', SHED_AT.presence, ['typing', 'presence']],
    ['then receipts', SHED_AT.receipts, ['typing', 'presence', 'receipts']],
    ['and nothing more than that', 1_000, ['typing', 'presence', 'receipts']],
  ])('%s', (_what, load, lanes) => {
    expect(lanesOf(looks(times(30, load)).at(-1)!)).toEqual(lanes);
  });

  it('goes up lane by lane, whatever the load, and not for one late second', () => {
    expect(levels(times(7, 1_000))).toEqual([0, 1, 1, 2, 2, 3, 3]);
    expect(levels([1_000, 0, 1_000, 0, 1_000, 0])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('comes down when it was not needed for so long, to the most that was needed meanwhile', () => {
    const once = [...times(4, 0), SHED_AT.typing, ...times(LONG, 0)];
    expect(levels(once, FULL)).toEqual([...times(LONG - 1, 3), ...times(5, 1), 0]);
    expect(levels(times(LONG, 0), FULL)).toEqual([...times(LONG - 1, 3), 0]);
  });

  it('stays while it is needed a little, and waits anew then', () => {
    const at = { ...FULL, level: 1, fullSince: null };
    expect(levels(times(3 * LONG, CALM_PART), at)).toEqual(times(3 * LONG, 1));
    expect(levels([...times(8, 0), CALM_PART, ...times(9, 0)], at)).toEqual(times(18, 1));
  });

  it('is decided by the measure that is furthest above its threshold; 0: it does not count', () => {
    const pressure = { loopDelayMs: 100, queuedRecords: 5, inboxEntries: 0, lagSeconds: 20 };
    expect(loadOf(pressure, THRESHOLDS)).toBe(4);
    expect(loadOf(pressure, { ...THRESHOLDS, lagSeconds: 0 })).toBe(1);
    expect(loadOf(pressure, THRESHOLDS, ['queuedRecords'])).toBe(0.5);
  });
});

describe('messages are refused', () => {
  it('only when all lanes have been shed for long enough, and it did not help', () => {
    const texts = looks(times(15, REFUSE_TEXT_AT)).map(({ text }) => text);
    const full = RISING_LOOKS * LANES.length - 1;
    const from = full + HELPS_WITHIN_MS / LOOK_MS;
    expect(texts).toEqual(texts.map((_text, i) => i >= from));
    expect(looks(times(15, REFUSE_TEXT_AT - 0.1)).some(({ text }) => text)).toBe(false);
  });

  it('no longer than that is so', () => {
    const { text } = { text: true };
    const stays = REFUSE_TEXT_AT * CALM_PART;
    expect(looks([stays, stays - 0.1], { ...FULL, text }).map((s) => s.text)).toEqual([
      true,
      false,
    ]);
    expect(looks([0], { ...FULL, text })[0]).toMatchObject({ text: false, level: 3 });
  });

  it.each([
    ['loopDelayMs', true],
    ['queuedRecords', true],
    ['inboxEntries', false],
    ['lagSeconds', false],
  ])('for %s: %s', (measure, refused) => {
    const [state] = looks([10 * REFUSE_TEXT_AT], FULL, measure);
    expect(state).toMatchObject({ text: refused, level: 3 });
  });
});

describe('whatever the load', () => {
  const load = fc.oneof(
    fc.constantFrom(0, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8),
    fc.double({ min: 0, max: 20, noNaN: true }),
  );
  const runs = fc.array(fc.tuple(load, fc.integer({ min: 1, max: 14 })), { maxLength: 25 });
  const loadsOf = (steps: readonly (readonly [number, number])[]): number[] =>
    steps.flatMap(([one, count]) => times(count, one));
  const neededFor = (one: number): number =>
    LANES.filter((lane) => one >= SHED_AT[lane] * CALM_PART - 1e-9).length;

  it('lanes go in order, one at a time, and none is given back that was needed in the last 10 s', () => {
    fc.assert(
      fc.property(runs, (steps) => {
        const loads = loadsOf(steps);
        const seen = looks(loads);
        seen.forEach(({ level, text }, i) => {
          const before = seen[i - 1]?.level ?? 0;
          expect(level - before).toBeLessThanOrEqual(1);
          if (level > before) {
            const asked = loads.slice(i - RISING_LOOKS + 1, i + 1);
            expect(asked).toHaveLength(RISING_LOOKS);
            for (const one of asked) expect(one).toBeGreaterThanOrEqual(SHED_AT[LANES[before]!]);
          }
          if (level < before) {
            const lately = loads.slice(Math.max(0, i + 1 - LONG), i + 1);
            expect(level).toBe(Math.max(...lately.map(neededFor)));
          }
          if (text) expect(level).toBe(LANES.length);
        });
      }),
    );
  });

  it('all is normal 10 s after it has gone', () => {
    fc.assert(
      fc.property(runs, (steps) => {
        const loads = [...loadsOf(steps), ...times(LONG, SHED_AT.typing * CALM_PART - 0.01)];
        const { level, text } = looks(loads).at(-1)!;
        expect([level, text]).toEqual([0, false]);
      }),
    );
  });
});
