import { randomUUID } from 'node:crypto';
import { Body, Controller, Get, Ip, Param, Post, Query } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import {
  isEmailSearch,
  registerBody,
  usersQuery,
  type Page,
  type RegisterBody,
  type User,
} from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { HashCalls } from '../auth/hash-calls';
import { Open } from '../auth/jwt-auth.guard';
import { Caller, type Principal } from '../auth/principal';
import { StorageClient } from '../service-clients';
import { AuthRate } from './address-rate.guard';
import { UserDirectory } from './user-directory';

/** Hashing a password takes its time, and waits for its turn; milliseconds. */
const REGISTER_TIMEOUT_MS = 10_000;

@Controller('users')
export class UsersController {
  constructor(
    private readonly storage: StorageClient,
    private readonly directory: UserDirectory,
    private readonly calls: HashCalls,
  ) {}

  @Open()
  @AuthRate()
  @Post()
  register(
    @Body(new ZodPipe(registerBody)) body: RegisterBody,
    @Ip() address: string,
  ): Promise<User> {
    const input = { ...body, userId: randomUUID(), address };
    return this.calls.take(address, body.username.toLowerCase(), () =>
      this.storage.call('accounts.register', input, { timeoutMs: REGISTER_TIMEOUT_MS }),
    );
  }

  @Get()
  find(
    @Caller() { userId }: Principal,
    @Query(new ZodPipe(usersQuery)) q: z.output<typeof usersQuery>,
  ): Promise<Page<User>> {
    if (q.ids) return this.storage.call('users.get', { ids: q.ids });
    const { query, cursor, limit = LIMITS.pageItems } = q;
    if (query !== undefined && isEmailSearch(query)) {
      return this.storage.call('users.byEmail', { email: query });
    }
    const { listing } = this.directory;
    return this.storage.call('users.search', { userId, query, listing, cursor, limit });
  }

  @Get(':id')
  async get(@Param('id', new ZodPipe(uuid)) id: string): Promise<User> {
    const [user] = (await this.storage.call('users.get', { ids: [id] })).items;
    if (!user) throw new TidingsError('not_found');
    return user;
  }
}
