import { Body, Controller, Get, HttpStatus, Param, Put, Query, Res } from '@nestjs/common';
import { extrasOf } from '@tidings/protocol/extras';
import { historyQuery, putMessageBody, type HistoryPage } from '@tidings/protocol/http';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { Response } from 'express';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { HttpSendService, type HeldBody } from '../send/http-send.service';
import type { SentBody } from '../send/send-reply';
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

  /** 200: in the log. 202: held on this gateway's disk. */
  @Put(':messageId')
  async send(
    @Caller() { userId: senderId, deviceId }: Principal,
    @Param('id', CONVERSATION_ID) id: string,
    @Param('messageId', new ZodPipe(uuid)) messageId: string,
    @Body(new ZodPipe(putMessageBody)) { content, ...more }: z.output<typeof putMessageBody>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SentBody | HeldBody> {
    const extras = extrasOf(more);
    const message = { conversationId: id, messageId, senderId, deviceId, content, extras };
    const answer = await this.sends.send(message);
    if (!('position' in answer)) response.status(HttpStatus.ACCEPTED);
    return answer;
  }
}
