import { Controller, Get, Query } from '@nestjs/common';
import { presenceQuery, type Presence } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { SeenPresence, shownOf } from '../presence/seen-presence';

@Controller('presence')
export class PresenceController {
  constructor(private readonly seen: SeenPresence) {}

  /** Throws `unavailable` also when nobody can tell whom the caller may see. */
  @Get()
  async get(
    @Caller() { userId: viewerId }: Principal,
    @Query(new ZodPipe(presenceQuery)) { userIds }: z.output<typeof presenceQuery>,
  ): Promise<{ items: Presence[] }> {
    return { items: (await this.seen.get(viewerId, userIds)).map(shownOf) };
  }
}
