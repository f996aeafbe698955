import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import {
  addMembersBody,
  memberPatch,
  pageQuery,
  type ChangedConversation,
  type Member,
  type Page,
} from '@tidings/protocol/http';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { CHANGE_CALL, StorageClient } from '../service-clients';

const CONVERSATION_ID = new ZodPipe(conversationId);
const MEMBER_ID = new ZodPipe(uuid);

@Controller('conversations/:id/members')
export class MembersController {
  constructor(private readonly storage: StorageClient) {}

  @Get()
  list(
    @Caller() { userId }: Principal,
    @Param('id', CONVERSATION_ID) conversationId: string,
    @Query(new ZodPipe(pageQuery)) page: z.output<typeof pageQuery>,
  ): Promise<Page<Member>> {
    const input = { userId, conversationId, limit: LIMITS.pageItems, ...page };
    return this.storage.call('members.list', input);
  }

  @HttpCode(200)
  @Post()
  add(
    @Caller() { userId }: Principal,
    @Param('id', CONVERSATION_ID) conversationId: string,
    @Body(new ZodPipe(addMembersBody)) { userIds: memberIds }: z.output<typeof addMembersBody>,
  ): Promise<ChangedConversation> {
    return this.storage.call('members.add', { userId, conversationId, memberIds }, CHANGE_CALL);
  }

  @Patch(':userId')
  setRole(
    @Caller() { userId }: Principal,
    @Param('id', CONVERSATION_ID) conversationId: string,
    @Param('userId', MEMBER_ID) memberId: string,
    @Body(new ZodPipe(memberPatch)) { role }: z.output<typeof memberPatch>,
  ): Promise<ChangedConversation> {
    const input = { userId, conversationId, memberId, role };
    return this.storage.call('members.role', input, CHANGE_CALL);
  }

  @HttpCode(204)
  @Delete(':userId')
  async remove(
    @Caller() { userId }: Principal,
    @Param('id', CONVERSATION_ID) conversationId: string,
    @Param('userId', MEMBER_ID) memberId: string,
  ): Promise<void> {
    await this.storage.call('members.remove', { userId, conversationId, memberId }, CHANGE_CALL);
  }
}
