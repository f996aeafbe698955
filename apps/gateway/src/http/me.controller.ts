import { Body, Controller, Get, Patch } from '@nestjs/common';
import { patchMeBody, type Me, type PatchMeBody } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Caller, type Principal } from '../auth/principal';
import { AccountNews } from '@tidings/common/redis/account-news';
import { VisibilityNews } from '@tidings/common/redis/visibility-news';
import { StorageClient } from '../service-clients';

@Controller('me')
export class MeController {
  constructor(
    private readonly storage: StorageClient,
    private readonly news: AccountNews,
    private readonly visibility: VisibilityNews,
  ) {}

  @Get()
  get(@Caller() { userId }: Principal): Promise<Me> {
    return this.storage.call('accounts.me', { userId });
  }

  @Patch()
  async patch(
    @Caller() { userId, deviceId }: Principal,
    @Body(new ZodPipe(patchMeBody)) body: PatchMeBody,
  ): Promise<Me> {
    const me = await this.storage.call('accounts.patch', { userId, ...body });
    this.news.tell(userId, ['me'], deviceId);
    if (body.privacy) this.visibility.changed(userId);
    return me;
  }
}
