import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { syncRequest, type SyncedBody, type SyncRequest } from '@tidings/protocol/frames';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Caller, type Principal } from '../auth/principal';
import { SyncService } from '../sync/sync.service';

/** When a delayed answer is worth asking for again, seconds. */
const DELAYED_RETRY_SECONDS = 5;

@Controller('sync')
export class SyncController {
  constructor(private readonly service: SyncService) {}

  @HttpCode(200)
  @Post()
  async sync(
    @Caller() { userId }: Principal,
    @Body(new ZodPipe(syncRequest)) body: SyncRequest,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SyncedBody> {
    const answer = await this.service.syncOnce(userId, body);
    if (answer.delayed) response.setHeader('Retry-After', String(DELAYED_RETRY_SECONDS));
    return answer;
  }
}
