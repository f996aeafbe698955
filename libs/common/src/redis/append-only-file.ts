import { ReplyError } from 'ioredis';
import { settled, type RedisClient } from './client';

/** What became of a rewrite; `off`: this Redis has no such file; `refused`: we may not ask for it. */
export type RewriteOutcome = 'done' | 'off' | 'refused';

const REFUSED = /^(?:NOPERM|ERR unknown command)/;

/**
 * Has Redis write its append-only file anew, from what it holds now: what was deleted or trimmed before
 * this call is not in it. Redis does it in the background (`BGREWRITEAOF`). Throws `RedisUnavailable`,
 * also while an earlier rewrite runs: ask again.
 */
export async function rewriteAppendOnlyFile(redis: RedisClient): Promise<RewriteOutcome> {
  try {
    // Asked for it, Redis would make the file even where it is switched off.
    const persistence = await settled(redis.info('persistence'));
    if (!/^aof_enabled:1/m.test(persistence)) return 'off';
    await settled(redis.bgrewriteaof());
    return 'done';
  } catch (error) {
    if (error instanceof ReplyError && REFUSED.test((error as Error).message)) return 'refused';
    throw error;
  }
}
