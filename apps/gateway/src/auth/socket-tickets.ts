import { TidingsError } from '@tidings/protocol/errors';
import { RedisUnavailable } from '@tidings/common/redis/client';
import { Tickets, type TicketGrant } from '@tidings/common/redis/tickets';
import type { SecurityLog } from '@tidings/common/runtime/security-log';
import type { Owner } from '../socket/connection';
import type { LoginGate } from './login-gate';

/** Takes the tickets that clients bring to the upgrade. */
export class SocketTickets {
  constructor(
    private readonly gatewayId: string,
    private readonly tickets: Pick<Tickets, 'take' | 'takeResume'>,
    private readonly gate: Pick<LoginGate, 'requireNow'>,
    private readonly security: Pick<SecurityLog, 'note'>,
  ) {}

  /**
   * Takes a directory or resume ticket, once, and checks that its login still lives. `address`:
   * who brings it, for the log. Throws `unauthorized`, or `unavailable` when Redis or storage cannot
   * tell.
   */
  async take(ticket: string, address?: string): Promise<Owner> {
    const grant = await this.grant(ticket);
    try {
      if (!grant) throw new TidingsError('unauthorized');
      const { userId, deviceId, sessionGeneration, connectionGeneration } = grant;
      await this.gate.requireNow(userId, deviceId, sessionGeneration);
      return { userId, deviceId, sessionGeneration, generation: connectionGeneration };
    } catch (error) {
      this.noteRefusal(error, grant, address);
      throw error;
    }
  }

  private noteRefusal(error: unknown, grant: TicketGrant | null, address?: string): void {
    if (!(error instanceof TidingsError) || error.code !== 'unauthorized') return;
    const { userId, deviceId } = grant ?? {};
    this.security.note('ticket_refused', { userId, deviceId, address });
  }

  private async grant(ticket: string): Promise<TicketGrant | null> {
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
