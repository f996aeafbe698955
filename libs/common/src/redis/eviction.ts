import { EnvironmentError } from '../runtime/env';
import type { RedisClient } from './client';

/**
 * Refuses a Redis that evicts keys when its memory is full: leases, tickets and inboxes would vanish one
 * by one. It is asked when it first answers, before anything else is; nothing waits for that.
 */
export function refuseEviction(redis: RedisClient, refuse: (error: Error) => void): void {
  const ask = async (): Promise<void> => {
    const info = await redis.info('memory').catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    // asked again with the next connection
    if (policy === undefined) return;
    redis.off('ready', onReady);
    if (policy === 'noeviction') return;
    const what = `leads to a server that evicts keys: its maxmemory-policy is ${policy}`;
    refuse(new EnvironmentError([`REDIS_URL ${what} and must be noeviction.`]));
  };
  const onReady = (): void => void ask();
  redis.on('ready', onReady);
}
