import { Metrics } from '@tidings/common/runtime/metrics';
import { LaneMetrics } from './lane.metrics';
import { HELPS_WITHIN_MS, type Pressure } from './lane-rules';
import { Lanes } from './lanes';

const LOOK_MS = 1_000;
const NONE: Pressure = { loopDelayMs: 0, queuedRecords: 0, inboxEntries: 0, lagSeconds: 0 };

function setUp() {
  const world = { now: 0, pressure: NONE };
  const registry = new Metrics({ service: 'gateway', node: 'g' });
  const told: unknown[] = [];
  const lines: unknown[] = [];
  const note =
    (level: string) =>
    (fields: object, text: string): void =>
      void lines.push([level, (fields as { lanes: unknown }).lanes, text]);
  const lanes = new Lanes({
    thresholds: { loopDelayMs: 10, queuedRecords: 0, inboxEntries: 0, lagSeconds: 0 },
    measure: () => world.pressure,
    changed: (frame) => void told.push(JSON.parse(frame.subarray(2).toString())),
    metrics: new LaneMetrics(registry),
    logger: { warn: note('warn') as never, info: note('info') as never },
    random: () => 0.5,
    clock: () => world.now,
  });
  const look = (times: number, loopDelayMs: number): void => {
    world.pressure = { ...NONE, loopDelayMs };
    for (let i = 0; i < times; i++) {
      lanes.look();
      world.now += LOOK_MS;
    }
  };
  const values = async (name: string): Promise<Record<string, number>> => {
    const { values: all } = await registry.registry.getSingleMetric(`tidings_${name}`)!.get();
    return Object.fromEntries(all.map((v) => [Object.values(v.labels).join(' '), v.value]));
  };
  return { lanes, look, told, lines, values };
}

describe('Lanes', () => {
  it('tell clients of each change, and greet those that come with what is shed', () => {
    const { lanes, look, told } = setUp();
    expect(lanes.greeting).toBeNull();
    look(5, 20);
    const both = { type: 'shed', lanes: ['typing', 'presence'] };
    expect(told).toEqual([{ type: 'shed', lanes: ['typing'] }, both]);
    expect(JSON.parse(lanes.greeting!.subarray(2).toString())).toEqual(both);
    expect([lanes.sheds('presence'), lanes.sheds('receipts')]).toEqual([true, false]);
    expect(lanes.shedding).toEqual({ lanes: ['typing', 'presence'], text: false });
    look(11, 0);
    expect(told.slice(2)).toEqual([{ type: 'shed', lanes: [] }]);
    expect(lanes.greeting).toBeNull();
    expect(lanes.sheds('typing')).toBe(false);
  });

  it('write one line and count once for each change', async () => {
    const { look, lines, values } = setUp();
    look(4, 10);
    look(11, 0);
    expect(lines).toEqual([
      ['warn', ['typing'], 'sheds more: there is too much to do'],
      ['info', [], 'sheds less'],
    ]);
    expect(await values('lane_changes_total')).toEqual({ 'typing shed': 1, 'typing normal': 1 });
    look(2, 10);
    const shed = { typing: 1, presence: 0, receipts: 0, text: 0 };
    expect(await values('lane_shed')).toEqual(shed);
    expect(await values('pressure')).toMatchObject({ loop_delay_ms: 10, lag_seconds: 0 });
  });

  it('refuse messages at last, with a time, which clients are told of by that alone', () => {
    const { lanes, look, told, lines } = setUp();
    look(6, 1_000);
    expect(lanes.textRefusal()).toBeNull();
    look(HELPS_WITHIN_MS / LOOK_MS, 1_000);
    expect(lanes.textRefusal()).toMatchObject({ code: 'busy', retryAfterMs: 2_000 });
    expect(lanes.shedding.text).toBe(true);
    expect(told).toHaveLength(3);
    look(1, 0);
    expect(lanes.textRefusal()).toBeNull();
    expect(lanes.sheds('receipts')).toBe(true);
    expect([told.length, lines.length]).toEqual([3, 5]);
  });
});
