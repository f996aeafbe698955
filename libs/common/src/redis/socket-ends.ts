import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { LoginEnd } from '../rpc/calls';
import type { Logger } from '../runtime/logger';
import type { InboxWriter } from './inbox';
import { encodeInbox } from './inbox-codec';
import type { Routes } from './routes';

/** The close code of a socket, by how its session has ended. */
export const END_CLOSES: Readonly<Record<LoginEnd, { code: number; reason: string }>> = {
  logged_out: { code: CLOSE_CODES.loggedOut, reason: 'logged out' },
  replaced: { code: CLOSE_CODES.replacedByLogin, reason: 'replaced by another login' },
  disabled: { code: CLOSE_CODES.accountDisabled, reason: 'this account is disabled' },
};

/**
 * Closes the sockets of sessions that have ended, at whichever gateway they are. Lossy: a socket
 * that is missed is closed by its gateway's next renewal, with the same code.
 */
export class SocketEnds {
  constructor(
    private readonly parts: {
      routes: Pick<Routes, 'lookup'>;
      inboxes: Pick<InboxWriter, 'append'>;
      logger: Pick<Logger, 'debug'>;
    },
  ) {}

  /**
   * Never rejects. Call it once Redis has the new generations: anybody who comes back is refused
   * then.
   */
  async close(userId: string, deviceIds: readonly string[], end: LoginEnd): Promise<void> {
    if (deviceIds.length === 0) return;
    const { routes, inboxes, logger } = this.parts;
    try {
      const ended = new Set(deviceIds);
      const [found = []] = await routes.lookup([userId]);
      const entries = found
        .filter(({ deviceId }) => ended.has(deviceId))
        .map(({ gatewayId, bootId, connectionId }) => {
          const item = { kind: 'close', connectionId, ...END_CLOSES[end] } as const;
          return { gatewayId, bootId, payload: encodeInbox([item]) };
        });
      if (entries.length > 0) await inboxes.append(entries);
    } catch (error) {
      logger.debug({ err: error }, 'sockets of ended sessions are not closed yet');
    }
  }
}
