import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { Page, User } from '@tidings/protocol/http';
import type { RpcInput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { emailKey, usernamePrefix } from '../domain/username';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { AccountsRepository } from './accounts.repository';
import { toUser } from './user.mapper';

type Search = Omit<RpcInput<typeof STORAGE_RPC, 'users.search'>, 'userId'>;

/** Finds users for other users. */
@Injectable()
export class UsersService {
  constructor(private readonly accounts: AccountsRepository) {}

  /** The known ones among these ids, in no particular order. */
  async get(ids: string[]): Promise<User[]> {
    return (await this.accounts.byIds(ids)).map(toUser);
  }

  /** Who has this e-mail address and lets others find them by it: one, or nobody. */
  async byEmail(email: string): Promise<User[]> {
    const user = await this.accounts.findableByEmail(emailKey(email.trim()));
    return user ? [toUser(user)] : [];
  }

  /**
   * Users whose name starts with `query`, by name. Without `listing` the query needs its least
   * length, else the whole directory could be read: throws `invalid_request`.
   */
  async search({ query, listing, cursor, limit }: Search): Promise<Page<User>> {
    const prefix = usernamePrefix(query ?? '');
    if (prefix === null) return { items: [] };
    if (!listing && [...prefix].length < LIMITS.userQueryMinChars) {
      const message = `at least ${LIMITS.userQueryMinChars} characters of a name`;
      throw new TidingsError('invalid_request', {
        detail: `query: ${message}`,
        errors: [{ path: 'query', message }],
      });
    }
    const after = cursor === undefined ? null : decodeCursor(cursor, 1)[0]!;
    const found = await this.accounts.search(prefix, after, limit + 1);
    const items = found.slice(0, limit).map(toUser);
    const last = found[limit - 1];
    return found.length > limit && last
      ? { items, cursor: encodeCursor([last.usernameKey]) }
      : { items };
  }
}
