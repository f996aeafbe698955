import { Body, Controller, Get, HttpStatus, Param, Put, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import {
  pageQuery,
  receiptsBody,
  type Page,
  type Receipt,
  type ReceiptsBody,
} from '@tidings/protocol/http';
import { conversationId } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { HttpReceiptsService } from '../receipts/http-receipts.service';
import { StorageClient } from '../service-clients';

const CONVERSATION_ID = new ZodPipe(conversationId);

@Controller('conversations/:id/receipts')
export class ReceiptsController {
  constructor(
    private readonly storage: StorageClient,
    private readonly receipts: HttpReceiptsService,
  ) {}

  @Get()
  list(
    @Caller() { userId }: Principal,
    @Param('id', CONVERSATION_ID) id: string,
    @Query(new ZodPipe(pageQuery)) page: z.output<typeof pageQuery>,
  ): Promise<Page<Receipt>> {
    const input = { userId, conversationId: id, limit: LIMITS.pageItems, ...page };
    return this.storage.call('receipts.list', input);
  }

  /** 200: in the log; 202: on its way. */
  @Put()
  async raise(
    @Caller() caller: Principal,
    @Param('id', CONVERSATION_ID) id: string,
    @Body(new ZodPipe(receiptsBody)) body: ReceiptsBody,
    @Res({ passthrough: true }) response: Response,
  ): Promise<object> {
    const done = await this.receipts.raise(caller, id, body);
    response.status(done ? HttpStatus.OK : HttpStatus.ACCEPTED);
    return {};
  }
}
