import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { Page, Receipt } from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import type { ReceiptView } from '@tidings/common/rpc/calls';
import { GroupsRepository } from '../conversations/groups.repository';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { LogState } from '../log/log-state';
import { type PerhapsDatedRow, ReceiptsRepository } from './receipts.repository';

/** Tells who has received and read how much. */
@Injectable()
export class ReceiptsService {
  constructor(
    private readonly receipts: ReceiptsRepository,
    private readonly log: LogState,
    private readonly groups: GroupsRepository,
  ) {}

  /** The members' marks, by user id. Throws `no_such_conversation`, for outsiders too. */
  async list(
    userId: string,
    conversationId: string,
    cursor: string | undefined,
    limit: number,
  ): Promise<Page<Receipt>> {
    const after = cursor === undefined ? null : userOf(cursor);
    const rows = await this.receipts.list(userId, conversationId, after, limit + 1);
    // A member sees at least themselves, but nobody behind the last page.
    if (rows.length === 0 && !(after && (await this.groups.isMember(userId, conversationId)))) {
      throw new TidingsError('no_such_conversation');
    }
    const items = rows.slice(0, limit);
    const last = rows.length > limit ? items.at(-1) : undefined;
    return last ? { items, cursor: encodeCursor([last.userId]) } : { items };
  }

  /** See the call `receipts.view`. */
  async view(items: readonly PerhapsDatedRow[]): Promise<{ items: (ReceiptView | null)[] }> {
    // what was there before is part of the answer
    const views = await this.receipts.view(this.log.topic, items);
    await this.receipts.keepRead(items);
    return { items: views };
  }
}

function userOf(cursor: string): string {
  const parsed = uuid.safeParse(decodeCursor(cursor, 1)[0]);
  if (parsed.success) return parsed.data;
  throw new TidingsError('invalid_request', { detail: 'cursor: not one of ours' });
}
