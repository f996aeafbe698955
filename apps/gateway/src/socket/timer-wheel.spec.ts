import { TimerWheel } from './timer-wheel';

describe('TimerWheel', () => {
  it.each([1, 2, 7, 10])('visits an item after %i ticks, once', (ticks) => {
    const wheel = new TimerWheel<string>(10);
    for (let i = 0; i < 3; i++) wheel.advance();
    wheel.schedule('item', ticks);
    const visits = Array.from({ length: 25 }, () => wheel.advance().length);
    expect(visits.indexOf(1)).toBe(ticks - 1);
    expect(visits.reduce((a, b) => a + b)).toBe(1);
  });

  it('brings deadlines outside its range to its ends', () => {
    const wheel = new TimerWheel<string>(4);
    wheel.schedule('now', 0);
    wheel.schedule('late', 99);
    expect([1, 2, 3, 4].map(() => wheel.advance())).toEqual([['now'], [], [], ['late']]);
  });
});
