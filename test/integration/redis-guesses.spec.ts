import {
  type Attempt,
  type GuessRates,
  type GuessStore,
  SharedGuesses,
} from '@tidings/common/redis/guesses';
import { randomUUID } from 'node:crypto';
import { OwnGuesses } from '../../apps/storage/src/accounts/own-guesses';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

const RATES: GuessRates = {
  lane: { burst: 3, everyMs: 60_000 },
  strangers: { burst: 5, everyMs: 60_000 },
  knownNetworks: 2,
};

describe.each(['shared', 'own'])('counts of password guesses: %s', (kind) => {
  let rig: RedisRig;
  let make: (rates?: GuessRates) => GuessStore;

  beforeAll(async () => {
    rig = await RedisRig.start();
    const client = await rig.client();
    make = (rates = RATES) =>
      kind === 'own' ? new OwnGuesses(rates) : new SharedGuesses(client, rates);
  });
  afterAll(() => rig?.stop());

  const account = (): string => randomUUID();
  const device = (of: string, deviceId: string): Attempt => ({
    account: of,
    deviceId,
    network: 'home',
    guessId: null,
  });
  const from = (of: string, network: string): Attempt => ({
    account: of,
    deviceId: null,
    network,
    guessId: null,
  });
  /** What so many attempts in a row come to: `+` taken, `-` refused. */
  const row = async (store: GuessStore, attempt: Attempt, count: number): Promise<string> => {
    let marks = '';
    for (let n = 0; n < count; n++) marks += 'taken' in (await store.take(attempt)) ? '+' : '-';
    return marks;
  };

  it('takes a burst of each lane, and tells how long to wait then', async () => {
    const [store, ann, bob] = [make(), account(), account()];
    expect(await row(store, device(ann, 'd1'), 5)).toBe('+++--');
    expect(await row(store, device(ann, 'd2'), 4)).toBe('+++-');
    expect(await row(store, from(ann, 'n1'), 4)).toBe('+++-');
    expect(await row(store, from(bob, 'n1'), 4)).toBe('+++-');
    const refused = (await store.take(device(ann, 'd1'))) as { waitMs: number };
    expect(refused.waitMs).toBeGreaterThan(0);
    expect(refused.waitMs).toBeLessThanOrEqual(RATES.lane.everyMs);
  });

  it('takes fewer of all strangers together, and as many as ever of who is none', async () => {
    const [store, ann] = [make(), account()];
    expect(await row(store, from(ann, 'n1'), 3)).toBe('+++');
    expect(await row(store, from(ann, 'n2'), 3)).toBe('++-');
    expect(await row(store, from(ann, 'n3'), 1)).toBe('-');
    expect(await row(store, device(ann, 'd1'), 4)).toBe('+++-');
  });

  it('forgets a lane with a right one, and knows its network from then on', async () => {
    const [store, ann] = [make(), account()];
    const right = async (attempt: Attempt): Promise<void> => {
      const outcome = await store.take(attempt);
      if (!('taken' in outcome)) throw new Error('refused');
      await store.right(outcome.taken);
    };
    await row(store, from(ann, 'n1'), 2);
    await right(from(ann, 'n1'));
    // The strangers had the right one back: two of five are gone.
    expect(await row(store, from(ann, 'n2'), 3)).toBe('+++');
    expect(await row(store, from(ann, 'n3'), 1)).toBe('-');
    expect(await row(store, from(ann, 'n1'), 4)).toBe('+++-');
  });

  it('counts one that comes again once, and gives it back once', async () => {
    const [store, ann] = [make(), account()];
    const again = { ...from(ann, 'n1'), guessId: randomUUID() };
    expect(await row(store, again, 4)).toBe('++++');
    expect(await row(store, from(ann, 'n1'), 3)).toBe('++-');
    // two of the strangers' five are left
    const right = { ...from(ann, 'n2'), guessId: randomUUID() };
    for (let n = 0; n < 2; n++) {
      const outcome = await store.take(right);
      if (!('taken' in outcome)) throw new Error('refused');
      await store.right(outcome.taken);
    }
    expect(await row(store, from(ann, 'n3'), 3)).toBe('++-');
  });

  it('takes one more whenever an interval is over', async () => {
    const quick = { burst: 2, everyMs: 300 };
    const [store, ann] = [make({ ...RATES, lane: quick }), account()];
    const attempt = device(ann, 'd1');
    expect(await row(store, attempt, 3)).toBe('++-');
    await eventually(async () => expect(await row(store, attempt, 1)).toBe('+'), 5_000);
  });
});
