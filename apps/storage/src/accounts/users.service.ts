import { Injectable } from '@nestjs/common';
import type { Page, User } from '@tidings/common/contracts/http';
import { usernamePrefix } from '../domain/username';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { AccountsRepository } from './accounts.repository';
import { toUser } from './user.mapper';

/** Finds users for other users. */
@Injectable()
export class UsersService {
  constructor(private readonly accounts: AccountsRepository) {}

  /** The known ones among these ids, in no particular order. */
  async get(ids: string[]): Promise<User[]> {
    return (await this.accounts.byIds(ids)).map(toUser);
  }

  /** Users whose name starts with `query` (without one: everybody), by name. */
  async search(
    query: string | undefined,
    cursor: string | undefined,
    limit: number,
  ): Promise<Page<User>> {
    const prefix = usernamePrefix(query ?? '');
    if (prefix === null) return { items: [] };
    const after = cursor === undefined ? null : decodeCursor(cursor, 1)[0]!;
    const found = await this.accounts.search(prefix, after, limit + 1);
    const items = found.slice(0, limit).map(toUser);
    const last = found[limit - 1];
    return found.length > limit && last
      ? { items, cursor: encodeCursor([last.usernameKey]) }
      : { items };
  }
}
