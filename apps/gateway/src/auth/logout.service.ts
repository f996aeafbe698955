import { Injectable } from '@nestjs/common';
import { AccountNews } from '@tidings/common/redis/account-news';
import { StorageClient } from '../service-clients';
import type { Principal } from './principal';
import { LoginEnder } from './login-ender';

/** Ends a device's login: in storage first, then everything that was made from it. */
@Injectable()
export class LogoutService {
  constructor(
    private readonly storage: StorageClient,
    private readonly ender: LoginEnder,
    private readonly news: AccountNews,
  ) {}

  /** Throws `unavailable` when storage cannot end the login now. */
  async logOut({ userId, deviceId, generation }: Principal): Promise<void> {
    await this.storage.call('accounts.logout', { userId, deviceId });
    // Storage has raised it by at least one.
    const ended = [{ userId, deviceId, generation: generation + 1 }];
    await this.ender.end(userId, ended, (id) => id === deviceId);
    this.news.tell(userId, ['devices'], deviceId);
  }
}
