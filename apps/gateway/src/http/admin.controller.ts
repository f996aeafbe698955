import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Ip,
  Param,
  Post,
  Put,
  Query,
} from '@nestjs/common';
import {
  disableBody,
  endBody,
  role,
  type AdminSession,
  type AdminUser,
  type Role,
} from '@tidings/protocol/admin';
import { pageQuery, type Page } from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import type { ActsBy } from '@tidings/common/rpc/calls';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { StorageClient } from '../service-clients';

const ID = new ZodPipe(uuid);
const ROLE = new ZodPipe(role);

/** What operators do. Storage judges whether the caller is one: `forbidden` for everybody else. */
@Controller('admin')
export class AdminController {
  constructor(private readonly storage: StorageClient) {}

  @Get('roles')
  roles(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Query(new ZodPipe(pageQuery)) page: z.output<typeof pageQuery>,
  ): Promise<Page<AdminUser>> {
    const input = { by: byOf(caller, address), limit: LIMITS.pageItems, ...page };
    return this.storage.call('admin.roles', input);
  }

  @HttpCode(204)
  @Put('users/:id/roles/:role')
  async grant(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) userId: string,
    @Param('role', ROLE) granted: Role,
  ): Promise<void> {
    const input = { by: byOf(caller, address), whom: { userId }, role: granted, granted: true };
    await this.storage.call('admin.role', input);
  }

  @HttpCode(204)
  @Delete('users/:id/roles/:role')
  async revoke(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) userId: string,
    @Param('role', ROLE) taken: Role,
  ): Promise<void> {
    const input = { by: byOf(caller, address), whom: { userId }, role: taken, granted: false };
    await this.storage.call('admin.role', input);
  }

  @HttpCode(200)
  @Post('users/:id/disable')
  async disable(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) userId: string,
    @Body(new ZodPipe(disableBody.default({}))) body: z.output<typeof disableBody>,
  ): Promise<AdminUser> {
    const input = { by: byOf(caller, address), whom: { userId }, ...body };
    return (await this.storage.call('admin.disable', input)).user;
  }

  @HttpCode(200)
  @Post('users/:id/enable')
  async enable(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) userId: string,
  ): Promise<AdminUser> {
    const input = { by: byOf(caller, address), whom: { userId } };
    return (await this.storage.call('admin.enable', input)).user;
  }

  @HttpCode(200)
  @Post('users/:id/end')
  async end(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) userId: string,
    @Body(new ZodPipe(endBody.default({}))) body: z.output<typeof endBody>,
  ): Promise<AdminUser> {
    const input = { by: byOf(caller, address), whom: { userId }, ...body };
    return (await this.storage.call('admin.end', input)).user;
  }

  @Get('users/:id/sessions')
  async sessions(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) userId: string,
  ): Promise<Page<AdminSession>> {
    const input = { by: byOf(caller, address), whom: { userId } };
    const { items } = await this.storage.call('admin.sessions', input);
    return { items };
  }
}

function byOf({ userId }: Principal, address: string): ActsBy {
  return { actor: userId, origin: address };
}
