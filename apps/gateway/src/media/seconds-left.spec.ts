import { secondsLeft } from './seconds-left';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');

describe('secondsLeft', () => {
  it.each([
    [undefined, 300],
    ['2026-01-01T01:00:00.000Z', 300],
    ['2026-01-01T00:00:10.999Z', 10],
    ['2026-01-01T00:00:00.999Z', 0],
    ['2025-12-31T23:59:00.000Z', 0],
  ])('of 300 until %s: %d', (expiresAt, left) => {
    expect(secondsLeft(300, expiresAt, NOW)).toBe(left);
  });
});
