import { Body, Controller, HttpCode, Ip, Post, UseGuards } from '@nestjs/common';
import { refreshBody, type LoginAnswer, type Tokens } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { AccessTokens, type LoginGrant } from '../auth/access-tokens';
import { Open } from '../auth/jwt-auth.guard';
import { LocalAuthGuard } from '../auth/local-auth.guard';
import { LogoutService } from '../auth/logout.service';
import { Caller, Granted, type Principal } from '../auth/principal';
import { AccountNews } from '@tidings/common/redis/account-news';
import { StorageClient } from '../service-clients';
import { pause } from '@tidings/common/runtime/waiting';
import { UserRates, type Doer } from '../rates/user-rates';
import { AuthRate } from './address-rate.guard';

/** A refresh that comes too soon waits no longer than this, milliseconds. */
const MAX_PACE_MS = 5_000;

@Controller('auth')
export class AuthController {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly storage: StorageClient,
    private readonly logouts: LogoutService,
    private readonly news: AccountNews,
    private readonly rates: UserRates,
  ) {}

  @Open()
  @AuthRate()
  @UseGuards(LocalAuthGuard)
  @HttpCode(200)
  @Post('login')
  logIn(@Granted() grant: LoginGrant): LoginAnswer {
    this.news.tell(grant.userId, ['devices'], grant.deviceId);
    return { ...this.tokens.issue(grant), deviceId: grant.deviceId, user: grant.user };
  }

  @Open()
  @HttpCode(200)
  @Post('refresh')
  async refresh(
    @Body(new ZodPipe(refreshBody)) body: z.output<typeof refreshBody>,
    @Ip() address: string,
  ): Promise<Tokens> {
    const grant = await this.storage.call('accounts.refresh', { ...body, address });
    await this.pace(grant);
    return this.tokens.issue(grant);
  }

  /** The next refresh needs this answer: one that comes later makes a device slower, and ends nothing. */
  private async pace({ userId, deviceId }: Doer): Promise<void> {
    const waitMs = await this.rates.take({ userId, deviceId }, 'refresh');
    if (waitMs > 0) await pause(Math.min(waitMs, MAX_PACE_MS));
  }

  @HttpCode(204)
  @Post('logout')
  logOut(@Caller() caller: Principal): Promise<void> {
    return this.logouts.logOut(caller);
  }
}
