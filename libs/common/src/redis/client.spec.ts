import { reconnectDelay } from './client';

describe('reconnectDelay', () => {
  it('is full jitter up to one second', () => {
    for (const attempt of [1, 2, 3, 10, 1_000]) {
      expect(reconnectDelay(attempt, 0)).toBe(0);
      expect(reconnectDelay(attempt, 0.999_999)).toBeLessThanOrEqual(1_000);
    }
    expect(reconnectDelay(1, 0.999_999)).toBe(100);
    expect(reconnectDelay(50, 0.5)).toBe(500);
  });
});
