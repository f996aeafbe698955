import { Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { pageQuery, type Contact, type Page, type User } from '@tidings/common/contracts/http';
import { uuid } from '@tidings/common/contracts/ids';
import { LIMITS } from '@tidings/common/contracts/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { StorageClient } from '../service-clients';

const PAGE = new ZodPipe(pageQuery);
const ID = new ZodPipe(uuid);
type PageQuery = z.output<typeof pageQuery>;

@Controller('contacts')
export class ContactsController {
  constructor(private readonly storage: StorageClient) {}

  @Get()
  list(@Caller() { userId }: Principal, @Query(PAGE) page: PageQuery): Promise<Page<Contact>> {
    return this.storage.call('contacts.list', { userId, limit: LIMITS.pageItems, ...page });
  }

  @Get('incoming')
  incoming(@Caller() { userId }: Principal, @Query(PAGE) page: PageQuery): Promise<Page<User>> {
    return this.storage.call('contacts.incoming', { userId, limit: LIMITS.pageItems, ...page });
  }

  @Put(':userId')
  add(@Caller() { userId }: Principal, @Param('userId', ID) contactId: string): Promise<Contact> {
    return this.storage.call('contacts.put', { userId, contactId });
  }

  @HttpCode(204)
  @Delete(':userId')
  async remove(
    @Caller() { userId }: Principal,
    @Param('userId', ID) contactId: string,
  ): Promise<void> {
    await this.storage.call('contacts.delete', { userId, contactId });
  }
}
