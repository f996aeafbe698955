import { TidingsError } from '@tidings/protocol/errors';
import type { ConversationRouting, ReceiptView } from '@tidings/common/rpc/calls';
import type { DatedMarks } from '@tidings/common/log-events/receipt-batch';
import { ReceiptSource } from './receipt-source';

const marks = (fields: Partial<DatedMarks> = {}): DatedMarks => ({
  conversationId: 'c',
  userId: 'ann',
  deviceId: 'd',
  delivered: '5',
  read: '0',
  at: 1_000,
  ...fields,
});

function setUp() {
  const world = {
    away: false,
    now: 10_000,
    calls: [] as number[],
    present: ['ann', 'bob'],
    kind: 'direct' as ConversationRouting['kind'],
    blocked: undefined as string[] | undefined,
  };
  const call = (_name: string, { items }: { items: DatedMarks[] }) => {
    world.calls.push(items.length);
    if (world.away) return Promise.reject(new TidingsError('unavailable'));
    const views = items.map(({ delivered, read, userId }): ReceiptView | null =>
      userId === 'gone'
        ? null
        : {
            others: [{ userId: 'bob', seesRead: true }],
            delivered,
            read,
            deliveredBefore: '1',
            unread: 1,
            upTo: '9',
          },
    );
    return Promise.resolve({ items: views });
  };
  const copies = {
    get: (ids: readonly string[]) =>
      Promise.resolve(
        ids.map((conversationId) => ({
          conversationId,
          kind: world.kind,
          version: 1,
          lastPosition: '0',
          blocked: world.blocked,
          members: world.present.map((userId) => ({ userId, from: '0', until: null })),
        })),
      ),
  };
  const failures: unknown[] = [];
  const source = new ReceiptSource(
    { call } as never,
    copies,
    (e) => failures.push(e),
    () => world.now,
  );
  return { source, world, failures };
}

describe('ReceiptSource', () => {
  it('asks for all partitions in one call at a time', async () => {
    const { source, world } = setUp();
    const found = await Promise.all([
      source.find([marks(), marks({ userId: 'gone' })]),
      source.find([marks({ read: '3' })]),
      source.find([marks({ delivered: '7' })]),
    ]);
    expect(world.calls).toEqual([4]);
    expect(found.map((views) => views.map((v) => v?.delivered))).toEqual([
      ['5', undefined],
      ['5'],
      ['7'],
    ]);
  });

  it('cuts what is too much for one call', async () => {
    const { source, world } = setUp();
    const many = Array.from({ length: 1_201 }, (_, i) => marks({ delivered: String(i + 1) }));
    const views = await source.find(many);
    expect(views.map((v) => v!.delivered)).toEqual(many.map((m) => m.delivered));
    expect(world.calls.every((n) => n <= 1_000)).toBe(true);
  });

  it('without storage goes by the last view and those who are present, without unread', async () => {
    const { source, world, failures } = setUp();
    const [view] = await source.find([marks({ read: '4' })]);
    source.pushed(marks(), view!);
    world.away = true;
    expect(await source.find([marks({ delivered: '8' })])).toEqual([
      {
        others: [{ userId: 'bob', seesRead: true }],
        delivered: '8',
        read: '4',
        deliveredBefore: '5',
      },
    ]);
    expect(failures).toHaveLength(1);
    world.present = ['ann'];
    expect(await source.find([marks({ delivered: '9' })])).toEqual([
      { others: [], delivered: '9', read: '4', deliveredBefore: '5' },
    ]);
    world.present = ['bob'];
    expect(await source.find([marks({ delivered: '9' })])).toEqual([null]);
  });

  it('pushes nothing of whom neither knows, and leaves storage alone for a while', async () => {
    const { source, world } = setUp();
    world.away = true;
    expect(await source.find([marks()])).toEqual([null]);
    expect(await source.find([marks()])).toEqual([null]);
    expect(world.calls).toEqual([1]);
    world.away = false;
    world.now += 2_000;
    expect((await source.find([marks()]))[0]).toMatchObject({ delivered: '5' });
  });

  it.each([
    ['direct', undefined, ['bob']],
    ['direct', ['ann'], ['bob']],
    ['direct', ['bob'], []],
    ['group', undefined, []],
  ] as const)(
    'without storage tells nobody who may be blocked: %s, %j',
    async (kind, blocked, told) => {
      const { source, world } = setUp();
      source.pushed(marks(), (await source.find([marks()]))[0]!);
      Object.assign(world, { away: true, kind, blocked });
      const [view] = await source.find([marks({ delivered: '8' })]);
      expect(view?.others.map((o) => o.userId)).toEqual(told);
    },
  );

  it('never falls behind what was pushed, though storage has not applied it yet', async () => {
    const { source } = setUp();
    const [first] = await source.find([marks({ delivered: '10', read: '10' })]);
    source.pushed(marks(), first!);
    const [later] = await source.find([marks({ delivered: '12', read: '4' })]);
    expect(later).toMatchObject({ delivered: '12', read: '10' });
    expect(later).not.toHaveProperty('unread');
    const [newer] = await source.find([marks({ delivered: '12', read: '11' })]);
    expect(newer).toMatchObject({ delivered: '12', read: '11', unread: 1, upTo: '9' });
  });

  it('knows what was pushed before: backwards is no news', async () => {
    const { source } = setUp();
    const member = marks({ delivered: '10', read: '10' });
    const [view] = await source.find([member]);
    expect(source.isOld(member, view!)).toBe(false);
    expect(source.pushedBefore(member)).toBeUndefined();
    source.pushed(member, view!);
    expect(source.pushedBefore(member)).toBe('10');
    expect(source.isOld(member, { ...view!, delivered: '9', read: '9' })).toBe(true);
    expect(source.isOld(member, { ...view!, delivered: '11' })).toBe(false);
    expect(source.isOld(marks({ userId: 'bob' }), view!)).toBe(false);
  });
});
