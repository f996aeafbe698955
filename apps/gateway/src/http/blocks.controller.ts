import { Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { pageQuery, type Block, type Page } from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { AccountNews } from '@tidings/common/redis/account-news';
import { VisibilityNews } from '@tidings/common/redis/visibility-news';
import { StorageClient } from '../service-clients';

const PAGE = new ZodPipe(pageQuery);
const ID = new ZodPipe(uuid);

@Controller('blocks')
export class BlocksController {
  constructor(
    private readonly storage: StorageClient,
    private readonly news: AccountNews,
    private readonly visibility: VisibilityNews,
  ) {}

  @Get()
  list(
    @Caller() { userId }: Principal,
    @Query(PAGE) page: z.output<typeof pageQuery>,
  ): Promise<Page<Block>> {
    return this.storage.call('blocks.list', { userId, limit: LIMITS.pageItems, ...page });
  }

  @Put(':userId')
  async add(
    @Caller() { userId, deviceId }: Principal,
    @Param('userId', ID) blockedId: string,
  ): Promise<Block> {
    const { block, added } = await this.storage.call('blocks.put', { userId, blockedId });
    if (added) this.news.tell(userId, ['blocks'], deviceId);
    // also when it was so: the first call may have ended before this line
    this.visibility.changed(userId);
    return block;
  }

  @HttpCode(204)
  @Delete(':userId')
  async remove(
    @Caller() { userId, deviceId }: Principal,
    @Param('userId', ID) blockedId: string,
  ): Promise<void> {
    const { removed } = await this.storage.call('blocks.delete', { userId, blockedId });
    if (removed) this.news.tell(userId, ['blocks'], deviceId);
    this.visibility.changed(userId);
  }
}
