import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { TidingsError } from '@tidings/common/contracts/errors';
import {
  conversationBody,
  pageQuery,
  type Conversation,
  type ConversationBody,
  type Page,
} from '@tidings/common/contracts/http';
import { conversationId } from '@tidings/common/contracts/ids';
import { LIMITS } from '@tidings/common/contracts/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { StorageClient } from '../service-clients';

@Controller('conversations')
export class ConversationsController {
  constructor(private readonly storage: StorageClient) {}

  @Post()
  async open(
    @Caller() { userId }: Principal,
    @Body(new ZodPipe(conversationBody)) body: ConversationBody,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Conversation> {
    const otherId = body.userIds[0] ?? userId;
    if (otherId === userId) {
      const detail = 'userIds: a conversation with oneself cannot be';
      throw new TidingsError('invalid_request', { detail });
    }
    const answer = await this.storage.call('conversations.direct', { userId, otherId });
    response.status(answer.created ? HttpStatus.CREATED : HttpStatus.OK);
    return answer.conversation;
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
    @Param('id', new ZodPipe(conversationId)) id: string,
  ): Promise<Conversation> {
    return this.storage.call('conversations.get', { userId, conversationId: id });
  }
}
