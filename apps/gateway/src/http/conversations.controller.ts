import { Body, Controller, Get, HttpStatus, Param, Patch, Post, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { TidingsError } from '@tidings/protocol/errors';
import {
  conversationBody,
  conversationPatch,
  pageQuery,
  type ChangedConversation,
  type Conversation,
  type ConversationBody,
  type ConversationPatch,
  type Page,
} from '@tidings/protocol/http';
import { conversationId } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { costsOf } from './user-rate.guard';
import { UserRates } from '../rates/user-rates';
import { CHANGE_CALL, StorageClient } from '../service-clients';

const ID = new ZodPipe(conversationId);

@Controller('conversations')
export class ConversationsController {
  constructor(
    private readonly storage: StorageClient,
    private readonly rates: UserRates,
  ) {}

  @Post()
  async open(
    @Caller() caller: Principal,
    @Body(new ZodPipe(conversationBody)) body: ConversationBody,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Conversation> {
    const { created, conversation } = await this.made(caller.userId, body);
    if (!created) {
      const costs = costsOf('POST /v1/conversations', body);
      this.rates.giveBack(
        caller,
        costs.filter(([name]) => name !== 'read'),
      );
    }
    response.status(created ? HttpStatus.CREATED : HttpStatus.OK);
    return conversation;
  }

  @Get()
  list(
    @Caller() { userId }: Principal,
    @Query(new ZodPipe(pageQuery)) page: z.output<typeof pageQuery>,
  ): Promise<Page<Conversation>> {
    return this.storage.call('conversations.list', { userId, limit: LIMITS.pageItems, ...page });
  }

  @Get(':id')
  get(
    @Caller() { userId }: Principal,
    @Param('id', ID) conversationId: string,
  ): Promise<Conversation> {
    return this.storage.call('conversations.get', { userId, conversationId });
  }

  @Patch(':id')
  change(
    @Caller() { userId }: Principal,
    @Param('id', ID) conversationId: string,
    @Body(new ZodPipe(conversationPatch)) patch: ConversationPatch,
  ): Promise<ChangedConversation> {
    const input = { userId, conversationId, ...patch };
    return this.storage.call('conversations.change', input, CHANGE_CALL);
  }

  private made(
    userId: string,
    body: ConversationBody,
  ): Promise<{ created: boolean; conversation: Conversation }> {
    if (body.kind === 'group') {
      const { requestId, title, userIds, messageTtlSeconds, history } = body;
      const input = { userId, requestId, title, userIds, messageTtlSeconds, history };
      return this.storage.call('conversations.group', input, CHANGE_CALL);
    }
    const otherId = body.userIds[0] ?? userId;
    if (otherId === userId) {
      const detail = 'userIds: a conversation with oneself cannot be';
      throw new TidingsError('invalid_request', { detail });
    }
    return this.storage.call('conversations.direct', { userId, otherId });
  }
}
