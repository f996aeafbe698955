import type { IncomingMessage } from 'node:http';
import { RefusalPace } from './refusal-pace';

const LIMITS = { atOnce: 2, perSecond: 10, maxWaitMs: 200, maxWaiting: 3 };

function setUp() {
  let now = 1_000;
  const cuts: string[] = [];
  const pace = new RefusalPace(
    (reason) => cuts.push(reason),
    LIMITS,
    () => now,
  );
  const told: string[] = [];
  let destroyed = 0;
  const request = { socket: { destroy: () => void destroyed++ } };
  const refuse = (who: string, name: string): void =>
    void pace.turn(who, request as unknown as IncomingMessage).then(() => told.push(name));
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    await jest.advanceTimersByTimeAsync(ms);
  };
  return { pace, cuts, told, refuse, pass, destroyed: () => destroyed };
}

describe('RefusalPace', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('tells some at once, the others at its pace', async () => {
    const { pace, told, refuse, pass } = setUp();
    for (const name of ['1', '2', '3', '4']) refuse('ann', name);
    await pass(0);
    expect([told, pace.waiting]).toEqual([['1', '2'], 2]);
    await pass(100);
    expect(told).toEqual(['1', '2', '3']);
    await pass(100);
    expect([told, pace.waiting]).toEqual([['1', '2', '3', '4'], 0]);
  });

  it('keeps nobody else waiting', async () => {
    const { told, refuse, pass } = setUp();
    for (const name of ['1', '2', '3']) refuse('ann', name);
    refuse('bob', 'b');
    await pass(0);
    expect(told).toEqual(['1', '2', 'b']);
  });

  it('cuts off what would wait too long, and goes on with the rest', async () => {
    const { cuts, told, refuse, pass, destroyed } = setUp();
    for (const name of ['1', '2', '3', '4', '5']) refuse('ann', name);
    await pass(0);
    expect([cuts, destroyed()]).toEqual([['refused_often'], 1]);
    await pass(200);
    expect(told.filter((name) => name !== '5')).toEqual(['1', '2', '3', '4']);
  });

  it('holds a bounded number in all', async () => {
    const { pace, cuts, refuse, pass } = setUp();
    for (const who of ['ann', 'bob', 'eve', 'joe']) for (let i = 0; i < 3; i++) refuse(who, who);
    await pass(0);
    expect([pace.waiting, cuts]).toEqual([LIMITS.maxWaiting, ['refused_often']]);
  });

  it('is as new after a while', async () => {
    const { told, refuse, pass } = setUp();
    for (const name of ['1', '2', '3']) refuse('ann', name);
    await pass(1_000);
    for (const name of ['4', '5']) refuse('ann', name);
    await pass(0);
    expect(told).toEqual(['1', '2', '3', '4', '5']);
  });
});
