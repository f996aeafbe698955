import { Controller, Get, Param, Query } from '@nestjs/common';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { traceQuery, type Trace, type TraceQuery } from '@tidings/protocol/trace';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Caller, type Principal } from '../auth/principal';
import { TraceService } from '../trace/trace.service';

@Controller('conversations/:id/messages/:messageId/trace')
export class TraceController {
  constructor(private readonly traces: TraceService) {}

  @Get()
  get(
    @Caller() { userId }: Principal,
    @Param('id', new ZodPipe(conversationId)) id: string,
    @Param('messageId', new ZodPipe(uuid)) messageId: string,
    @Query(new ZodPipe(traceQuery)) query: TraceQuery,
  ): Promise<Trace> {
    return this.traces.get({ userId, conversationId: id, messageId }, query);
  }
}
