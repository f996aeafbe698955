import { Throughput } from './throughput';

describe('Throughput', () => {
  it.each([
    ['too little', 999, 1_000, true],
    ['just enough', 1_000, 1_000, false],
    ['too little, but it has only begun', 0, 499, false],
    ['nothing at all', 0, 500, true],
  ])('%s: %i bytes in %i ms', (_, bytes, ms, slow) => {
    const one = new Throughput(1_000, 5);
    one.add(bytes);
    expect(one.isSlow(5 + ms, 500)).toBe(slow);
  });

  it('forgets with each window what came before', () => {
    const one = new Throughput(1_000, 0);
    one.add(1_000_000);
    one.next(1_000);
    expect(one.isSlow(2_000, 500)).toBe(true);
  });
});
