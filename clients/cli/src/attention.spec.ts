import type { TerminalListeners } from './screen';
import { Attention, AWAY_MS } from './attention';

describe('attention', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('is with each key, and gone after five minutes without one', () => {
    const told: string[] = [];
    let listeners: TerminalListeners = {};
    const attention = new Attention(
      {
        active: () => told.push('active'),
        front: () => told.push('front'),
        background: () => told.push('background'),
      },
      { on: (given) => (listeners = given) },
    );
    jest.advanceTimersByTime(AWAY_MS - 1);
    listeners.pressed!();
    jest.advanceTimersByTime(AWAY_MS - 1);
    expect(told).toEqual(['front', 'active']);
    jest.advanceTimersByTime(1);
    listeners.pressed!();
    expect(told).toEqual(['front', 'active', 'background', 'front', 'active']);
    attention.end();
    jest.advanceTimersByTime(2 * AWAY_MS);
    expect(told).toHaveLength(5);
  });
});
