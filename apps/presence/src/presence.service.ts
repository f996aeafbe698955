import { TidingsError } from '@tidings/protocol/errors';
import type { PRESENCE_RPC, RpcInput, RpcOutput } from '@tidings/common/rpc/calls';
import type { GatewayLease } from '@tidings/common/redis/lease';
import type { Route, Routes } from '@tidings/common/redis/routes';
import type { Logger } from '@tidings/common/runtime/logger';
import { presenceOf } from './domain/status';
import type { LastSeenRepository } from './last-seen.repository';
import type { PresenceMetrics } from './presence.metrics';
import type { RedisReturn } from './redis-return';

type Get = 'presence.get';

/** Answers who is there: routes and leases say online, the clocks say since when not. */
export class PresenceService {
  constructor(
    private readonly routes: Pick<Routes, 'lookup'>,
    private readonly leases: Pick<GatewayLease, 'holders'>,
    private readonly repository: Pick<LastSeenRepository, 'find'>,
    private readonly redisReturn: Pick<RedisReturn, 'isRecent'>,
    private readonly metrics: PresenceMetrics,
    private readonly logger: Logger,
  ) {}

  /**
   * Presence of users, in the order asked. Throws `unavailable` when Redis or the database does not
   * answer, and while gateways come back to Redis: a guess would show people as away who are not.
   */
  async get({
    userIds,
  }: RpcInput<typeof PRESENCE_RPC, Get>): Promise<RpcOutput<typeof PRESENCE_RPC, Get>> {
    try {
      const [routes, clocks] = await Promise.all([
        this.routes.lookup(userIds),
        this.repository.find(userIds),
      ]);
      const holders = await this.holders(routes);
      // asked behind the look-up: the connection may be another one than it began on
      if (this.redisReturn.isRecent) throw new Error('gateways come back to Redis');
      this.metrics.answered('ok');
      const items = userIds.map((userId, i) =>
        presenceOf(userId, routes[i] ?? [], holders, clocks.get(userId)),
      );
      return { items };
    } catch (error) {
      this.metrics.answered('unavailable');
      this.logger.debug({ err: error }, 'presence is unavailable');
      throw new TidingsError('unavailable', {
        detail: 'Presence is not available right now',
        cause: error,
      });
    }
  }

  private async holders(routes: readonly Route[][]): Promise<Map<string, string | null>> {
    const gateways = [...new Set(routes.flat().map((route) => route.gatewayId))];
    const held = await this.leases.holders(gateways);
    return new Map(gateways.map((gatewayId, i) => [gatewayId, held[i] ?? null]));
  }
}
