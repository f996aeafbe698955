import { ReplyError } from 'ioredis';
import { settled, type RedisClient } from './client';

/**
 * The outcome of a rewrite. `off`: this Redis has no such file. `refused`: we may not request one.
 */
export type RewriteOutcome = 'done' | 'off' | 'refused';

const REFUSED = /^(?:NOPERM|ERR unknown command)/;

/**
 * Makes Redis rewrite its append-only file from what it holds now: whatever was deleted or trimmed
 * before this call is not in it. Redis does so in the background (`BGREWRITEAOF`). Throws
 * `RedisUnavailable`, also while an earlier rewrite is running: try again.
 */
export async function rewriteAppendOnlyFile(redis: RedisClient): Promise<RewriteOutcome> {
  try {
    // If asked, Redis would create the file even where it is switched off.
    const persistence = await settled(redis.info('persistence'));
    if (!/^aof_enabled:1/m.test(persistence)) return 'off';
    await settled(redis.bgrewriteaof());
    return 'done';
  } catch (error) {
    if (error instanceof ReplyError && REFUSED.test((error as Error).message)) return 'refused';
    throw error;
  }
}
