import { RecentIds } from './recent-ids';

const MESSAGE = { senderId: 's', contentHash: 'h', sentAtMs: 1, expiresAtMs: null };

describe('RecentIds', () => {
  it('knows ids by conversation and message', () => {
    const recent = new RecentIds<string>(0);
    const entry = recent.add('c', 'm', MESSAGE, 0);
    expect(recent.get('c', 'm')).toBe(entry);
    expect(recent.get('d', 'm')).toBeUndefined();
  });

  it('keeps an appended id for two minutes at least, and forgets it within four', () => {
    const recent = new RecentIds<string>(0);
    recent.add('c', 'old', MESSAGE, 0).position = '1';
    recent.add('c', 'late', MESSAGE, 119_000).position = '2';
    recent.add('c', 'x', MESSAGE, 120_000).position = '3';
    expect(recent.get('c', 'late')).toBeDefined();
    recent.add('c', 'y', MESSAGE, 240_000);
    expect(recent.get('c', 'old')).toBeUndefined();
    expect(recent.get('c', 'x')).toBeDefined();
  });

  it('never forgets an id that is on its way, but does forget a doubtful one', () => {
    const recent = new RecentIds<string>(0, { keepMs: 1_000_000, mostIds: 2 });
    recent.add('c', 'way', MESSAGE, 0);
    recent.add('c', 'doubt', MESSAGE, 0).doubtful = true;
    for (let i = 0; i < 8; i++) recent.add('c', `m${i}`, MESSAGE, i).position = '1';
    expect(recent.get('c', 'way')).toBeDefined();
    expect(recent.get('c', 'doubt')).toBeUndefined();
  });

  it('is bounded', () => {
    const recent = new RecentIds<string>(0, { keepMs: 1_000_000, mostIds: 10 });
    for (let i = 0; i < 1000; i++) recent.add('c', `m${i}`, MESSAGE, i).position = '1';
    expect(recent.size).toBeLessThanOrEqual(20);
  });

  it('forgets what was not appended after all', () => {
    const recent = new RecentIds<string>(0);
    recent.add('c', 'm', MESSAGE, 0);
    recent.forget('c', 'm');
    expect(recent.get('c', 'm')).toBeUndefined();
  });
});
