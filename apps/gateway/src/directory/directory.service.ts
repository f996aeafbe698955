import type { Cluster } from '@tidings/protocol/admin';
import { TidingsError } from '@tidings/protocol/errors';
import type { ConnectionsAnswer, ConnectionsBody, GatewayAddress } from '@tidings/protocol/http';
import { RedisUnavailable } from '@tidings/common/redis/client';
import type { Directory, GatewayEntry } from '@tidings/common/redis/directory';
import type { Tickets } from '@tidings/common/redis/tickets';
import type { Principal } from '../auth/principal';
import { choose } from './choose';

/** When a client should ask again after `busy`, milliseconds. */
const BUSY_RETRY_MS = 2_000;

/** Other gateways for the clients of one that stops. */
export interface Others {
  gateways: GatewayAddress[];
  /** So many connects all of them let in; 0: there is none. */
  connectsPerSecond: number;
}

/** Says which gateways a client should connect to, and gives it the ticket for them. */
export class DirectoryService {
  constructor(
    private readonly parts: {
      gatewayId: string;
      heartbeatSeconds: number;
      ticketSeconds: number;
      /** What clients are told, milliseconds. */
      backoff: { baseMs: number; maxMs: number };
      directory: Pick<Directory<GatewayEntry>, 'list'>;
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
        backoff: this.parts.backoff,
      };
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
      throw new TidingsError('unavailable', { cause: error, retryAfterMs: BUSY_RETRY_MS });
    }
  }

  /** Where the clients of this gateway can go when it stops; nobody when Redis is away. */
  async others(): Promise<Others> {
    const { gatewayId, random } = this.parts;
    const live = await this.parts.directory.list().catch(() => []);
    const open = live.filter(({ id, state }) => id !== gatewayId && state !== 'draining');
    const rates = open.map((entry) => entry.connectsPerSecond || Infinity);
    return {
      gateways: choose(open, [], random).map(toAddress),
      connectsPerSecond: rates.reduce((sum, rate) => sum + rate, 0),
    };
  }

  /** The gateways that shed something; none when Redis is away. */
  async shedding(): Promise<Cluster['shedding']> {
    const live = await this.parts.directory.list().catch(() => []);
    return live.flatMap(({ id, shedding }) => {
      if (!shedding || (shedding.lanes.length === 0 && !shedding.text)) return [];
      return [{ gateway: id, ...shedding }];
    });
  }

  private async choose(avoid: readonly string[]): Promise<GatewayAddress[]> {
    const live = await this.parts.directory.list();
    return choose(live, avoid, this.parts.random).map(toAddress);
  }
}

function toAddress(entry: GatewayEntry): GatewayAddress {
  return { id: entry.id, url: entry.url };
}
