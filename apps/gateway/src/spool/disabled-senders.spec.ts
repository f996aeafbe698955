import { TidingsError } from '@tidings/protocol/errors';
import { DisabledSenders } from './disabled-senders';

const ANN = { senderId: 'ann', deviceId: 'phone' };
const BOB = { senderId: 'bob', deviceId: 'laptop' };

function setUp(world: { storage: readonly string[] | 'away'; live?: readonly string[] | 'away' }) {
  const asked: string[][] = [];
  const senders = new DisabledSenders(
    {
      call: ((_name: string, { userIds }: { userIds: string[] }) => {
        asked.push(userIds);
        const { storage } = world;
        if (storage === 'away') return Promise.reject(new TidingsError('unavailable'));
        return Promise.resolve({ items: userIds.filter((id) => storage.includes(id)) });
      }) as never,
    },
    {
      isLive: (_userId, deviceId) => {
        const { live = [] } = world;
        return live === 'away'
          ? Promise.reject(new Error('away'))
          : Promise.resolve(live.includes(deviceId));
      },
    },
  );
  const among = (...all: (typeof ANN)[]) =>
    senders.among(all).then(
      (found) => [...found],
      (error: TidingsError) => error.code,
    );
  return { among, asked };
}

describe('senders of held messages', () => {
  it.each([
    { name: 'storage knows', world: { storage: ['bob'] }, found: ['bob'] },
    {
      name: 'storage is away and all sessions live',
      world: { storage: 'away', live: ['phone', 'laptop'] },
      found: [],
    },
    {
      name: 'storage is away and a session has ended',
      world: { storage: 'away', live: ['phone'] },
      found: 'unavailable',
    },
    { name: 'both are away', world: { storage: 'away', live: 'away' }, found: 'unavailable' },
  ] as const)('$name: $found', async ({ world, found }) => {
    expect(await setUp(world).among(ANN, BOB)).toEqual(found);
  });

  it('are asked about once each, a thousand at a time', async () => {
    const { among, asked } = setUp({ storage: [] });
    const many = Array.from({ length: 1_001 }, (_, i) => ({ senderId: `u${i}`, deviceId: 'd' }));
    await among(...many, ...many);
    expect(asked.map((ids) => ids.length)).toEqual([1_000, 1]);
  });
});
