import { Body, Controller, Get, Param, Put, Query } from '@nestjs/common';
import { extrasOf } from '@tidings/common/contracts/extras';
import { historyQuery, putMessageBody, type HistoryPage } from '@tidings/common/contracts/http';
import { conversationId, uuid } from '@tidings/common/contracts/ids';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { HttpSendService, type SentBody } from '../send/http-send.service';
import { HistoryService } from '../sync/history.service';

const CONVERSATION_ID = new ZodPipe(conversationId);

@Controller('conversations/:id/messages')
export class MessagesController {
  constructor(
    private readonly history: HistoryService,
    private readonly sends: HttpSendService,
  ) {}

  @Get()
  page(
    @Caller() { userId }: Principal,
    @Param('id', CONVERSATION_ID) id: string,
    @Query(new ZodPipe(historyQuery)) query: z.output<typeof historyQuery>,
  ): Promise<HistoryPage> {
    return this.history.page(userId, id, query);
  }

  @Put(':messageId')
  send(
    @Caller() { userId: senderId, deviceId }: Principal,
    @Param('id', CONVERSATION_ID) id: string,
    @Param('messageId', new ZodPipe(uuid)) messageId: string,
    @Body(new ZodPipe(putMessageBody)) { content, ...more }: z.output<typeof putMessageBody>,
  ): Promise<SentBody> {
    const extras = extrasOf(more);
    return this.sends.send({ conversationId: id, messageId, senderId, deviceId, content, extras });
  }
}
