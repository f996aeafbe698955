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
import { AuthRate } from './address-rate.guard';

@Controller('auth')
export class AuthController {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly storage: StorageClient,
    private readonly sessions: LogoutService,
    private readonly news: AccountNews,
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
  @AuthRate()
  @HttpCode(200)
  @Post('refresh')
  async refresh(
    @Body(new ZodPipe(refreshBody)) body: z.output<typeof refreshBody>,
    @Ip() address: string,
  ): Promise<Tokens> {
    return this.tokens.issue(await this.storage.call('accounts.refresh', { ...body, address }));
  }

  @HttpCode(204)
  @Post('logout')
  logOut(@Caller() caller: Principal): Promise<void> {
    return this.sessions.logOut(caller);
  }
}
