import { TidingsError } from '@tidings/protocol/errors';
import type { PRESENCE_RPC, RpcInput, RpcOutput } from '@tidings/common/rpc/calls';
import type { PresencePartitions } from '@tidings/common/redis/presence-partitions';
import type { PresenceStates } from '@tidings/common/redis/presence-states';
import type { Logger } from '@tidings/common/runtime/logger';
import { SETTLES_MS } from './domain/patience';
import { presenceOf } from './domain/status';
import type { PresenceWord } from './domain/user-state';
import type { LastSeenRepository } from './last-seen.repository';
import type { PresenceMetrics } from './presence.metrics';
import { storedState } from './stored-state';
import type { RedisReturn } from './redis-return';

type Get = 'presence.get';

const NEVER: PresenceWord = { status: 'offline', lastSeenAtMs: null, activeAtMs: null };

/** Answers who is there: what others were told last, whichever instance told it. */
export class PresenceService {
  constructor(
    private readonly parts: {
      states: Pick<PresenceStates, 'read'>;
      partitions: Pick<PresencePartitions, 'wholeSince'>;
      partitionOf: (userId: string) => number;
      lastSeen: Pick<LastSeenRepository, 'find'>;
      redisReturn: Pick<RedisReturn, 'isRecent'>;
      metrics: PresenceMetrics;
      logger: Logger;
    },
  ) {}

  /**
   * Presence of users, in the order asked. Throws `unavailable` when Redis or the database does not
   * answer, and while gateways tell Redis anew: a guess would show people as away who are not.
   */
  async get({
    userIds,
  }: RpcInput<typeof PRESENCE_RPC, Get>): Promise<RpcOutput<typeof PRESENCE_RPC, Get>> {
    const { metrics, logger } = this.parts;
    try {
      const items = await this.read(userIds);
      metrics.answered('ok');
      return { items };
    } catch (error) {
      metrics.answered('unavailable');
      logger.debug({ err: error }, 'presence is unavailable');
      throw new TidingsError('unavailable', {
        detail: 'Presence is not available right now',
        cause: error,
      });
    }
  }

  private async read(userIds: readonly string[]) {
    const { states, partitions, partitionOf, redisReturn } = this.parts;
    const named = [...new Set(userIds.map(partitionOf))];
    // in this order: a state that was read from an emptied Redis is behind what tells of it
    const { stored, atUs } = await states.read(userIds);
    const since = await partitions.wholeSince(named);
    const settled = since.every((ms) => ms !== null && ms + SETTLES_MS <= atUs / 1_000);
    // asked behind the look-up: the connection may be another one than it began on
    if (!settled || redisReturn.isRecent) throw new Error('gateways tell Redis anew');
    const words = stored.map(({ state }) => storedState(state)?.told ?? null);
    const kept = await this.kept(userIds.filter((_, i) => words[i] === null));
    return userIds.map((userId, i) => {
      const word = words[i] ?? kept.get(userId) ?? NEVER;
      return presenceOf(userId, word, Math.max(atUs, stored[i]!.version));
    });
  }

  /** Those of whom nobody was told anything for long: the database has their clocks. */
  private async kept(userIds: readonly string[]): Promise<Map<string, PresenceWord>> {
    if (userIds.length === 0) return new Map();
    const clocks = await this.parts.lastSeen.find(userIds);
    return new Map(
      [...clocks].map(([userId, { lastSeenAtMs, activeAtMs }]) => [
        userId,
        { status: 'offline' as const, lastSeenAtMs, activeAtMs },
      ]),
    );
  }
}
