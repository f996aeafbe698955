import { Controller, Get, Query } from '@nestjs/common';
import { presenceQuery, type Presence } from '@tidings/common/contracts/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { PresenceClient } from '../service-clients';

@Controller('presence')
export class PresenceController {
  constructor(private readonly presence: PresenceClient) {}

  @Get()
  get(
    @Caller() { userId: viewerId }: Principal,
    @Query(new ZodPipe(presenceQuery)) { userIds }: z.output<typeof presenceQuery>,
  ): Promise<{ items: Presence[] }> {
    return this.presence.call('presence.get', { viewerId, userIds });
  }
}
