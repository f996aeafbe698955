import { TidingsError } from '@tidings/common/contracts/errors';
import { RedisUnavailable } from '@tidings/common/redis/client';
import { Tickets } from '@tidings/common/redis/tickets';
import type { Owner } from '../socket/connection';
import type { SessionGate } from './session-gate';

/** Takes the tickets that clients bring to the upgrade. */
export class SocketTickets {
  constructor(
    private readonly gatewayId: string,
    private readonly tickets: Pick<Tickets, 'take' | 'takeResume'>,
    private readonly gate: Pick<SessionGate, 'requireNow'>,
  ) {}

  /**
   * Takes a directory or resume ticket, once, and checks that its session still lives. Throws
   * `unauthorized`, or `unavailable` when Redis or storage cannot tell.
   */
  async take(ticket: string): Promise<Owner> {
    const grant = await this.grant(ticket);
    if (!grant) throw new TidingsError('unauthorized');
    const { userId, deviceId, sessionGeneration, connectionGeneration } = grant;
    await this.gate.requireNow(userId, deviceId, sessionGeneration);
    return { userId, deviceId, sessionGeneration, generation: connectionGeneration };
  }

  private async grant(ticket: string) {
    try {
      if (Tickets.isResume(ticket)) return await this.tickets.takeResume(ticket);
      const grant = await this.tickets.take(ticket, this.gatewayId);
      return typeof grant === 'string' ? null : grant;
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
      throw new TidingsError('unavailable', { cause: error });
    }
  }
}
