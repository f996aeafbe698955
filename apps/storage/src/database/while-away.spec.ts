import { TidingsError } from '@tidings/protocol/errors';
import { Patience } from './while-away';

const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const ended = () => Object.assign(new Error('terminating connection'), { code: '57P01' });

function setUp(failures: unknown[], msPerTry = 100) {
  let now = 0;
  let tries = 0;
  const busy = (ms: number) => (now += ms);
  const patience = new Patience(
    () => now,
    () => Promise.resolve((now += msPerTry)),
  );
  const work = () => {
    tries++;
    const failure = failures.shift();
    return failure === undefined ? Promise.resolve('done') : Promise.reject(failure as Error);
  };
  return { run: () => patience.with(work), tries: () => tries, busy };
}

describe('whoever registers or logs in', () => {
  it('waits for a database that restarts', async () => {
    const { run, tries } = setUp([ended(), away(), away()]);
    expect([await run(), tries()]).toEqual(['done', 4]);
  });

  it('waits five seconds in all, for everything that the call does', async () => {
    const { run, tries } = setUp(Array.from({ length: 200 }, away), 100);
    await expect(run()).rejects.toThrow('ECONNREFUSED');
    expect(tries()).toBe(51);
    await expect(run()).rejects.toThrow('ECONNREFUSED');
    expect(tries()).toBe(52);
  });

  it('does not lose patience by work that takes long once the database is back', async () => {
    let now = 0;
    const failures = [away(), away(), null, ...Array.from({ length: 45 }, away)];
    const patience = new Patience(
      () => now,
      () => Promise.resolve((now += 100)),
    );
    const work = () => {
      const failure = failures.shift();
      if (failure) return Promise.reject(failure);
      now += 4_000;
      return Promise.resolve('done');
    };
    expect([await patience.with(work), await patience.with(work)]).toEqual(['done', 'done']);
    expect(failures).toEqual([]);
  });

  it('has all of its patience left after a long hash', async () => {
    const { run, tries, busy } = setUp([]);
    await run();
    busy(60_000);
    expect([await run(), tries()]).toEqual(['done', 2]);
    const late = setUp(Array.from({ length: 20 }, away), 100);
    late.busy(60_000);
    expect([await late.run(), late.tries()]).toEqual(['done', 21]);
  });

  it.each([
    new TidingsError('unavailable'),
    new TidingsError('bad_credentials'),
    Object.assign(new Error('duplicate key'), { code: '23505' }),
    new TypeError('a defect'),
  ])('does not do again what failed with %s', async (error) => {
    const { run, tries } = setUp([error]);
    await expect(run()).rejects.toBe(error);
    expect(tries()).toBe(1);
  });
});
