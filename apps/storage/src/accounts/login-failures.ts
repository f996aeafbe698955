import { Injectable } from '@nestjs/common';
import { AccountNews } from '@tidings/common/redis/account-news';
import type { Logger } from '@tidings/common/runtime/logger';
import { DevicesRepository } from './devices.repository';

/**
 * Tells owners that wrong passwords were tried for their accounts. In the background: how long a
 * refusal takes must not say whether there is such an account.
 */
@Injectable()
export class LoginFailures {
  constructor(
    private readonly devices: DevicesRepository,
    private readonly news: Pick<AccountNews, 'tell'>,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  /** Counts one and tells the account's devices. Never throws. */
  note(userId: string): void {
    this.devices.addFailedLogin(userId).then(
      () => this.news.tell(userId, ['devices']),
      (error: unknown) => this.logger.warn({ err: error }, 'a wrong password was not counted'),
    );
  }
}
