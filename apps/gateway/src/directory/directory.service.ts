import { TidingsError } from '@tidings/protocol/errors';
import type { ConnectionsAnswer, ConnectionsBody, GatewayAddress } from '@tidings/protocol/http';
import { TIMINGS } from '@tidings/protocol/limits';
import { RedisUnavailable } from '@tidings/common/redis/client';
import { choose, type GatewayDirectory, type GatewayEntry } from '@tidings/common/redis/directory';
import type { Tickets } from '@tidings/common/redis/tickets';
import type { Principal } from '../auth/principal';

/** When a client should ask again after `busy`, milliseconds. */
const BUSY_RETRY_MS = 2_000;

/** Says which gateways a client should connect to, and gives it the ticket for them. */
export class DirectoryService {
  constructor(
    private readonly parts: {
      gatewayId: string;
      heartbeatSeconds: number;
      ticketSeconds: number;
      directory: Pick<GatewayDirectory, 'list'>;
      tickets: Pick<Tickets, 'issue'>;
      random: () => number;
    },
  ) {}

  /**
   * A ticket for the caller's device. Throws `forbidden` for another device, `busy` when all
   * gateways are full or draining, `unavailable` without Redis.
   */
  async connect(principal: Principal, body: ConnectionsBody): Promise<ConnectionsAnswer> {
    const { userId, deviceId, generation: sessionGeneration } = principal;
    if (body.deviceId !== deviceId) {
      throw new TidingsError('forbidden', { detail: 'deviceId: not the device of this token' });
    }
    try {
      const gateways = await this.choose(body.avoid ?? []);
      if (gateways.length === 0) throw new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS });
      const gatewayIds = gateways.map((g) => g.id);
      const request = { userId, deviceId, sessionGeneration, gatewayIds };
      const { ticket } = await this.parts.tickets.issue(request);
      return {
        ticket,
        expiresInSeconds: this.parts.ticketSeconds,
        gateways,
        heartbeatSeconds: this.parts.heartbeatSeconds,
        backoff: { baseMs: TIMINGS.backoffBaseMs, maxMs: TIMINGS.backoffMaxMs },
      };
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
      throw new TidingsError('unavailable', { cause: error, retryAfterMs: BUSY_RETRY_MS });
    }
  }

  /** Other gateways for the clients of this one; empty when there are none or Redis is away. */
  async others(): Promise<GatewayAddress[]> {
    const { gatewayId } = this.parts;
    const gateways = await this.choose([gatewayId]).catch(() => []);
    return gateways.filter((g) => g.id !== gatewayId);
  }

  private async choose(avoid: readonly string[]): Promise<GatewayAddress[]> {
    const live = await this.parts.directory.list();
    return choose(live, avoid, this.parts.random).map(toAddress);
  }
}

function toAddress(entry: GatewayEntry): GatewayAddress {
  return { id: entry.gatewayId, url: entry.url };
}
