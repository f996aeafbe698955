import type { Presence } from '@tidings/protocol/http';
import { SeenPresence, shownOf } from './seen-presence';

const at = '2026-11-22T08:00:00.000Z';
const online = (userId: string): Presence => ({
  userId,
  status: 'online',
  lastSeenAt: at,
  activeAt: at,
  version: 7,
});

describe('SeenPresence', () => {
  it('shows nothing of who is not visible, and keeps order and the others', async () => {
    const items = ['a', 'b', 'c'].map(online);
    const seen = new SeenPresence({ call: () => Promise.resolve({ items }) } as never, {
      visible: () => Promise.resolve(new Set(['a', 'c', 'x'])),
    });
    expect((await seen.get('v', ['a', 'b', 'c'])).map(shownOf)).toEqual([
      online('a'),
      { userId: 'b', status: 'offline', lastSeenAt: null, activeAt: null, version: 7 },
      online('c'),
    ]);
  });

  it('tells nothing while nobody can say who may see whom', async () => {
    const seen = new SeenPresence({ call: () => Promise.resolve({ items: [] }) } as never, {
      visible: () => Promise.reject(new Error('away')),
    });
    await expect(seen.get('v', ['a'])).rejects.toThrow('away');
  });
});
