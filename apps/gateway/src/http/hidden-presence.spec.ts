import type { Presence } from '@tidings/protocol/http';
import { hidePresence } from './hidden-presence';

const at = '2026-11-22T08:00:00.000Z';
const online = (userId: string): Presence => ({
  userId,
  status: 'online',
  lastSeenAt: at,
  activeAt: at,
});

describe('hidePresence', () => {
  it('shows nothing of who hides, and keeps order and the others', () => {
    const items = ['a', 'b', 'c'].map(online);
    expect(hidePresence(items, ['b', 'x'])).toEqual([
      online('a'),
      { userId: 'b', status: 'offline', lastSeenAt: null, activeAt: null },
      online('c'),
    ]);
    expect(hidePresence(items, [])).toEqual(items);
  });
});
