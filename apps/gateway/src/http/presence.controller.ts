import { Controller, Get, Query } from '@nestjs/common';
import { presenceQuery, type Presence } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { z } from 'zod';
import { Caller, type Principal } from '../auth/principal';
import { hidePresence } from './hidden-presence';
import { PresenceClient, StorageClient } from '../service-clients';

@Controller('presence')
export class PresenceController {
  constructor(
    private readonly presence: PresenceClient,
    private readonly storage: StorageClient,
  ) {}

  /** Throws `unavailable` also when nobody can tell who hides from the caller. */
  @Get()
  async get(
    @Caller() { userId: viewerId }: Principal,
    @Query(new ZodPipe(presenceQuery)) { userIds }: z.output<typeof presenceQuery>,
  ): Promise<{ items: Presence[] }> {
    const [hiding, { items }] = await Promise.all([
      this.storage.call('blocks.hiding', { viewerId, userIds }),
      this.presence.call('presence.get', { viewerId, userIds }),
    ]);
    return { items: hidePresence(items, hiding.items) };
  }
}
