import { emptyState } from '../domain/partition-state';
import { uuid } from '../../test/entries';
import { ConversationSource } from './conversation-source';

const BASE = 1_000n;
const state = () => emptyState({ partition: 1, base: BASE, start: 50n, liveFrom: 60n });
const routing = (conversationId: string, lastPosition: string) => ({
  conversationId,
  kind: 'direct' as const,
  version: 1,
  members: [{ userId: uuid(1), from: '0', until: null }],
  lastPosition,
});

function setup(answer: () => unknown) {
  const inputs: unknown[] = [];
  const log = { asked: 0, failed: 0, copied: [] as string[] };
  const clock = { ms: 0 };
  const storage = {
    call: async (_name: string, input: unknown) => {
      inputs.push(input);
      return answer();
    },
  };
  const copies = {
    find: async (ids: readonly string[]) => {
      log.copied.push(...ids);
      return ids.map((id) => (id === 'copied' ? { membership: null, previous: null } : null));
    },
  };
  const source = new ConversationSource(
    storage as ConstructorParameters<typeof ConversationSource>[0],
    copies,
    { asked: (n) => (log.asked += n), failed: () => log.failed++ },
    () => clock.ms,
  );
  return { source, inputs, log, clock };
}

describe('ConversationSource', () => {
  it.each([
    ['beyond the window', '60', '1040', 1_040n],
    ['just up to it', '50', '0', 0n],
    ['not up to it', '49', '1040', null],
    ['of nothing', '0', '0', null],
  ])('previous when storage has applied %s', async (_name, applied, last, previous) => {
    const items = [routing('c', last)];
    const { source, inputs } = setup(() => ({ items, applied: ['999', applied] }));
    const found = await source.find([{ conversationId: 'c', members: true }], state());
    expect(found.get('c')).toMatchObject({ previous, membership: { version: 1 } });
    expect(inputs).toEqual([{ conversations: [{ conversationId: 'c', below: '1050' }] }]);
  });

  it('tells what storage does not know from what it did not say', async () => {
    const { source } = setup(() => ({ items: [], applied: ['0', '60'] }));
    const found = await source.find([{ conversationId: 'c', members: true }], state());
    expect(found.get('c')).toEqual({ membership: null, previous: null });
  });

  it('says when changes of members have no position yet', async () => {
    const items = [{ ...routing('c', '0'), pending: true }];
    const { source } = setup(() => ({ items, applied: ['0', '60'] }));
    const found = await source.find([{ conversationId: 'c', members: true }], state());
    expect(found.get('c')).toMatchObject({ provisional: true });
  });

  it('takes members from a copy when storage is away', async () => {
    const { source, log } = setup(() => {
      throw new Error('away');
    });
    const missing = [
      { conversationId: 'copied', members: true },
      { conversationId: 'nowhere', members: true },
      { conversationId: 'known', members: false },
    ];
    const found = await source.find(missing, state());
    expect([...found.keys()]).toEqual(['copied']);
    expect(log).toEqual({ asked: 3, failed: 1, copied: ['copied', 'nowhere'] });
  });

  it('leaves storage alone for a while when only previous is missing', async () => {
    const { source, inputs, clock } = setup(() => {
      throw new Error('away');
    });
    const known = [{ conversationId: 'c', members: false }];
    for (const ms of [0, 1, 999, 1_000]) {
      clock.ms = ms;
      expect((await source.find(known, state())).size).toBe(0);
    }
    expect(inputs).toHaveLength(2);
    await source.find([{ conversationId: 'c', members: true }], state());
    expect(inputs).toHaveLength(3);
  });

  it('asks for many conversations in bounded calls', async () => {
    const { source, inputs } = setup(() => ({ items: [], applied: [] }));
    const many = Array.from({ length: 2_500 }, (_, i) => ({
      conversationId: `c${i}`,
      members: true,
    }));
    expect((await source.find(many, state())).size).toBe(2_500);
    expect(inputs).toHaveLength(3);
  });
});
