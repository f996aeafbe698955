import type { AccountFrame } from '@tidings/common/contracts/frames';
import { encodeInbox } from '@tidings/common/redis/inbox-codec';
import type { InboxWriter } from '@tidings/common/redis/inbox';
import type { Routes } from '@tidings/common/redis/routes';

/** Tells a user's devices that parts of the account have changed: they fetch them again. */
export class AccountNotices {
  constructor(
    private readonly routes: Pick<Routes, 'lookup'>,
    private readonly inboxes: Pick<InboxWriter, 'append'>,
  ) {}

  /**
   * Sends `account` to the devices of a user, but not to `exceptDevice`. Never rejects: a device that
   * misses it fetches at its next start.
   */
  async tell(
    userId: string,
    changed: AccountFrame['changed'],
    exceptDevice?: string,
  ): Promise<void> {
    const frame: AccountFrame = { type: 'account', changed };
    const text = JSON.stringify(frame);
    try {
      const [routes = []] = await this.routes.lookup([userId]);
      const entries = routes
        .filter(({ deviceId }) => deviceId !== exceptDevice)
        .map(({ gatewayId, bootId, connectionId }) => ({
          gatewayId,
          bootId,
          payload: encodeInbox([{ kind: 'push', connections: [connectionId], frame: text }]),
        }));
      if (entries.length > 0) await this.inboxes.append(entries);
    } catch {
      // Redis is away.
    }
  }
}
