import { Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { pageQuery, type Contact, type Page, type User } from '@tidings/protocol/http';
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
type PageQuery = z.output<typeof pageQuery>;

@Controller('contacts')
export class ContactsController {
  constructor(
    private readonly storage: StorageClient,
    private readonly news: AccountNews,
    private readonly visibility: VisibilityNews,
  ) {}

  @Get()
  list(@Caller() { userId }: Principal, @Query(PAGE) page: PageQuery): Promise<Page<Contact>> {
    return this.storage.call('contacts.list', { userId, limit: LIMITS.pageItems, ...page });
  }

  @Get('incoming')
  incoming(@Caller() { userId }: Principal, @Query(PAGE) page: PageQuery): Promise<Page<User>> {
    return this.storage.call('contacts.incoming', { userId, limit: LIMITS.pageItems, ...page });
  }

  @Put(':userId')
  async add(@Caller() caller: Principal, @Param('userId', ID) contactId: string): Promise<Contact> {
    const { userId } = caller;
    const input = { userId, contactId };
    const { added, user, mutual, unseen } = await this.storage.call('contacts.put', input);
    if (added) this.tell(caller, contactId, { mutual, unseen });
    // also when it was so: the first call may have ended before this line
    this.visibility.changed(userId);
    return { user, mutual };
  }

  @HttpCode(204)
  @Delete(':userId')
  async remove(@Caller() caller: Principal, @Param('userId', ID) contactId: string): Promise<void> {
    const input = { userId: caller.userId, contactId };
    const { removed, mutual, unseen } = await this.storage.call('contacts.delete', input);
    if (removed) this.tell(caller, contactId, { mutual, unseen });
    this.visibility.changed(caller.userId);
  }

  /**
   * Who has both each other sees it in the contacts; who has been added alone, in `incoming`, and
   * there too it shows when the adder's contact had added him. Who blocks the caller hears nothing.
   */
  private tell(
    { userId, deviceId }: Principal,
    contactId: string,
    { mutual, unseen }: { mutual: boolean; unseen: boolean },
  ): void {
    this.news.tell(userId, mutual ? ['contacts', 'incoming'] : ['contacts'], deviceId);
    if (!unseen) this.news.tell(contactId, [mutual ? 'contacts' : 'incoming']);
  }
}
