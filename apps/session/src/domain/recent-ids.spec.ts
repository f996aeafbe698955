import { editAt, messageAt } from '../../test/entries';
import { deletionKeyOf, keyOf, RecentIds } from './recent-ids';

describe('RecentIds', () => {
  it.each([
    ['now', 0, true],
    ['inside the window', 120_000, true],
    ['one millisecond outside', 120_001, false],
  ])('%s', (_name, later, held) => {
    const ids = new RecentIds();
    const [first, second] = [messageAt(1, { atMs: 1_000 }), messageAt(2, { atMs: 1_000 + later })];
    for (const entry of [first, second]) ids.add(keyOf(entry), entry);
    const again = messageAt(3, { id: 1 });
    expect(ids.before(keyOf(again), again) !== undefined).toBe(held);
    expect(ids.size).toBe(held ? 2 : 1);
  });

  it('is bounded, and keeps the newest', () => {
    const ids = new RecentIds(1_000, 3);
    for (let n = 0; n < 5; n++)
      ids.add(keyOf(messageAt(n, { atMs: 0 })), messageAt(n, { atMs: 0 }));
    const held = [0, 1, 2, 3, 4].map((id) => {
      const again = messageAt(9, { id });
      return ids.before(keyOf(again), again) !== undefined;
    });
    expect(held).toEqual([false, false, true, true, true]);
    expect(ids.size).toBe(3);
  });

  it('tells another author or content of the same id apart, and looks only behind a record', () => {
    const ids = new RecentIds();
    const first = messageAt(5, { id: 1 });
    ids.add(keyOf(first), first);
    const before = (entry: ReturnType<typeof messageAt>) => ids.before(keyOf(entry), entry);
    expect(before(messageAt(6, { id: 1 }))).toEqual({ same: true });
    expect(before(messageAt(6, { id: 1, text: 'x' }))).toEqual({ same: false });
    expect(before(messageAt(6, { id: 1, sender: 2 }))).toEqual({ same: false });
    expect(before(messageAt(6, { id: 1, talk: 'd' }))).toBeUndefined();
    expect(before(messageAt(5, { id: 1 }))).toBeUndefined();
    expect(before(messageAt(4, { id: 1 }))).toBeUndefined();
  });

  it('keeps messages, changes and deletions apart although they share ids', () => {
    const ids = new RecentIds();
    const message = messageAt(1, { id: 7 });
    const edit = editAt(2, 1, { change: 7 });
    ids.add(keyOf(message), message);
    expect(ids.before(keyOf(edit), edit)).toBeUndefined();
    ids.add(deletionKeyOf(edit), edit);
    expect(ids.size).toBe(2);
    const later = editAt(3, 1, { change: 7 });
    expect(ids.before(keyOf(later), later)).toBeUndefined();
    expect(ids.before(deletionKeyOf(later), later)).toBeDefined();
  });
});
