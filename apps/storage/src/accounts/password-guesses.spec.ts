import { TidingsError } from '@tidings/protocol/errors';
import type { GuessRates, GuessStore } from '@tidings/common/redis/guesses';
import { OwnGuesses } from './own-guesses';
import { attemptOf, type GuessOutcome, PasswordGuesses } from './password-guesses';

const RATES: GuessRates = {
  lane: { burst: 2, everyMs: 60_000 },
  strangers: { burst: 5, everyMs: 60_000 },
  knownNetworks: 2,
};

function setUp(shared: GuessStore) {
  const outcomes: GuessOutcome[] = [];
  const guesses = new PasswordGuesses(shared, new OwnGuesses(RATES, () => 0), (outcome) =>
    outcomes.push(outcome),
  );
  const looks: boolean[] = [];
  const guess = (right: boolean, address = '192.0.2.1', name = 'ann') =>
    guesses.judge(attemptOf(name, address, null), () => {
      looks.push(right);
      return Promise.resolve(right);
    });
  return { guess, looks, outcomes };
}

const away: GuessStore = {
  take: () => Promise.reject(new Error('no Redis')),
  right: () => Promise.reject(new Error('no Redis')),
};

describe('guesses of passwords', () => {
  it('above the rate are refused without a look, right or wrong', async () => {
    const { guess, looks, outcomes } = setUp(new OwnGuesses(RATES, () => 0));
    expect([await guess(false), await guess(false)]).toEqual([false, false]);
    const refusal = guess(true);
    await expect(refusal).rejects.toBeInstanceOf(TidingsError);
    await expect(refusal).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 60_000 });
    expect(looks).toEqual([false, false]);
    expect(outcomes).toEqual(['wrong', 'wrong', 'refused']);
  });

  it('are forgotten with a right one', async () => {
    const { guess } = setUp(new OwnGuesses(RATES, () => 0));
    expect([await guess(false), await guess(true), await guess(false)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(await guess(false)).toBe(false);
  });

  it('are counted by this process alone while Redis is away', async () => {
    const { guess, outcomes } = setUp(away);
    expect([await guess(false), await guess(true), await guess(false), await guess(false)]).toEqual(
      [false, true, false, false],
    );
    await expect(guess(false)).rejects.toMatchObject({ code: 'rate_limited' });
    expect(outcomes.filter((outcome) => outcome === 'alone')).toHaveLength(5);
    expect(await guess(false, '192.0.2.2')).toBe(false);
    expect(await guess(false, '192.0.2.1', 'bob')).toBe(false);
  });

  it('of one IPv6 customer are one network', async () => {
    const { guess } = setUp(new OwnGuesses(RATES, () => 0));
    await guess(false, '2001:db8::1');
    await guess(false, '2001:db8::2');
    await expect(guess(false, '2001:db8::3')).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await guess(false, '2001:db8:0:1::1')).toBe(false);
  });
});
