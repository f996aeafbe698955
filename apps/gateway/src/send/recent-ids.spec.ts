import { RecentIds } from './recent-ids';

const uuid = (n: number): string => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;
const M = uuid(1);
const SENT_AT = 1_764_000_000_123;
const MESSAGE = { senderId: uuid(99), contentHash: 'h', sentAtMs: SENT_AT, expiresAtMs: null };

function append(recent: RecentIds<string>, id: number, now: number): void {
  const entry = recent.add('c', uuid(id), MESSAGE);
  recent.settle('c', uuid(id), entry, { position: String(id), now });
}

const knows = (recent: RecentIds<string>, id: number): boolean =>
  recent.known('c', uuid(id), MESSAGE, SENT_AT) !== undefined;

describe('RecentIds', () => {
  it('knows an id on its way by conversation and message', () => {
    const recent = new RecentIds<string>();
    const entry = recent.add('c', M, MESSAGE);
    expect(recent.get('c', M)).toBe(entry);
    expect(recent.get('d', M)).toBeUndefined();
    expect(recent.known('c', M, MESSAGE, SENT_AT)).toBeUndefined();
  });

  it('knows an appended id with position, time, and whose it is', () => {
    const recent = new RecentIds<string>();
    const entry = recent.add('c', M, MESSAGE);
    recent.settle('c', M, entry, { position: '9007199254740993', now: 0 });
    expect(recent.get('c', M)).toBeUndefined();
    expect(recent.known('c', M, MESSAGE, SENT_AT)).toEqual({
      same: true,
      position: '9007199254740993',
      sentAtMs: MESSAGE.sentAtMs,
      expiresAtMs: MESSAGE.expiresAtMs,
    });
    expect(recent.known('c', M, { ...MESSAGE, senderId: uuid(98) }, SENT_AT)).toMatchObject({
      same: false,
    });
    expect(recent.known('c', M, { ...MESSAGE, contentHash: 'i' }, SENT_AT)).toMatchObject({
      same: false,
    });
    expect(recent.known('d', M, MESSAGE, SENT_AT)).toBeUndefined();
  });

  it('tells no other content from one that has expired, but another sender', () => {
    const recent = new RecentIds<string>();
    const brief = { ...MESSAGE, expiresAtMs: SENT_AT + 10_000 };
    const entry = recent.add('c', M, brief);
    recent.settle('c', M, entry, { position: '1', now: 0 });
    const same = (over: object, nowMs: number) =>
      recent.known('c', M, { ...MESSAGE, ...over }, nowMs)!.same;
    expect([same({ contentHash: 'i' }, SENT_AT + 9_999), same({}, SENT_AT)]).toEqual([false, true]);
    expect(same({ contentHash: 'i' }, SENT_AT + 10_000)).toBe(true);
    expect(same({ senderId: uuid(98) }, SENT_AT + 10_000)).toBe(false);
  });

  it('keeps an appended id for two minutes', () => {
    const recent = new RecentIds<string>();
    append(recent, 1, 0);
    append(recent, 2, 120_000);
    expect([1, 2].map((id) => knows(recent, id))).toEqual([true, true]);
    append(recent, 3, 120_001);
    expect([1, 2, 3].map((id) => knows(recent, id))).toEqual([false, true, true]);
  });

  it('never forgets an id that is on its way', () => {
    const recent = new RecentIds<string>({ keepMs: 1_000_000, maxIds: 2 });
    recent.add('c', M, MESSAGE);
    for (let id = 2; id < 10; id++) append(recent, id, id);
    expect(recent.get('c', M)).toBeDefined();
    expect(recent.size).toBe(3);
  });

  it('is bounded', () => {
    const recent = new RecentIds<string>({ keepMs: 1_000_000, maxIds: 10 });
    for (let id = 0; id < 1000; id++) append(recent, id, id);
    expect(recent.size).toBe(10);
  });

  it('forgets what did not get there, but not a later send of the same id', () => {
    const recent = new RecentIds<string>();
    const first = recent.add('c', M, MESSAGE);
    recent.forget('c', M, first);
    expect(recent.get('c', M)).toBeUndefined();
    const second = recent.add('c', M, MESSAGE);
    recent.forget('c', M, first);
    expect(recent.get('c', M)).toBe(second);
  });
});
