import { TidingsError } from '@tidings/protocol/errors';
import type { DeviceLogins } from '@tidings/common/redis/logins';
import type { StorageClient } from '../service-clients';
import type { Sender } from './drain-judge';

const TIMEOUT_MS = 2_000;
/** Senders of one call. */
const MAX = 1_000;

/**
 * Whose held messages must not be sent, because their account was disabled meanwhile: by storage's word.
 * While storage is away a sender whose session lives in Redis counts as free, since nobody can be
 * disabled then; of anybody else nobody can tell.
 */
export class DisabledSenders {
  constructor(
    private readonly storage: Pick<StorageClient, 'call'>,
    private readonly logins: Pick<DeviceLogins, 'isLive'>,
  ) {}

  /** Throws `unavailable` when nobody can tell of one of them. */
  async among(senders: readonly Sender[]): Promise<ReadonlySet<string>> {
    const userIds = [...new Set(senders.map(({ senderId }) => senderId))];
    const disabled = new Set<string>();
    try {
      for (let i = 0; i < userIds.length; i += MAX) {
        const input = { userIds: userIds.slice(i, i + MAX) };
        const answer = await this.storage.call('accounts.disabled', input, {
          timeoutMs: TIMEOUT_MS,
        });
        for (const userId of answer.items) disabled.add(userId);
      }
    } catch (error) {
      if (!(await this.allLive(senders))) throw error;
    }
    return disabled;
  }

  private async allLive(senders: readonly Sender[]): Promise<boolean> {
    const devices = new Map(senders.map((sender) => [sender.deviceId, sender.senderId]));
    for (const [deviceId, userId] of devices) {
      const live = await this.logins.isLive(userId, deviceId).catch(() => {
        throw new TidingsError('unavailable');
      });
      if (!live) return false;
    }
    return true;
  }
}
