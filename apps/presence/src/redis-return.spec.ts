import { EventEmitter } from 'node:events';
import { RedisReturn } from './redis-return';

describe('RedisReturn', () => {
  it('takes 5 s from each connection but the first', () => {
    const redis = new EventEmitter();
    let now = 100;
    const since = new RedisReturn(redis as never, () => now);
    expect(since.isRecent).toBe(false);
    redis.emit('ready');
    expect(since.isRecent).toBe(false);
    now = 1_000;
    redis.emit('ready');
    expect(since.isRecent).toBe(true);
    now = 4_000;
    redis.emit('ready');
    now = 8_999;
    expect(since.isRecent).toBe(true);
    now = 9_000;
    expect(since.isRecent).toBe(false);
  });
});
