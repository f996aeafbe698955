import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/common/contracts/errors';
import type { Contact, Page, User } from '@tidings/common/contracts/http';
import { AccountsRepository } from '../accounts/accounts.repository';
import type { UserEntity } from '../accounts/user.entity';
import { toUser } from '../accounts/user.mapper';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { ContactsRepository } from './contacts.repository';

/** The people whom a user has added, and those who have added the user. */
@Injectable()
export class ContactsService {
  constructor(
    private readonly contacts: ContactsRepository,
    private readonly accounts: AccountsRepository,
  ) {}

  async list(userId: string, cursor: string | undefined, limit: number): Promise<Page<Contact>> {
    const rows = await this.contacts.list(userId, after(cursor), limit + 1);
    return page(
      rows,
      limit,
      (row) => row.user,
      ({ user, mutual }) => ({ user: toUser(user), mutual }),
    );
  }

  async incoming(userId: string, cursor: string | undefined, limit: number): Promise<Page<User>> {
    const rows = await this.contacts.incoming(userId, after(cursor), limit + 1);
    return page(rows, limit, (user) => user, toUser);
  }

  /** Throws `not_found` for an unknown user, `invalid_request` for oneself. */
  async put(userId: string, contactId: string): Promise<Contact & { added: boolean }> {
    if (userId === contactId) {
      throw new TidingsError('invalid_request', { detail: 'You cannot be your own contact' });
    }
    const user = await this.accounts.byId(contactId);
    if (!user) throw new TidingsError('not_found');
    const added = await this.contacts.put(userId, contactId);
    return { user: toUser(user), mutual: await this.contacts.has(contactId, userId), added };
  }

  /** Removes a contact; removing it again changes nothing. */
  async delete(userId: string, contactId: string): Promise<{ removed: boolean; mutual: boolean }> {
    const removed = await this.contacts.delete(userId, contactId);
    return { removed, mutual: await this.contacts.has(contactId, userId) };
  }
}

function after(cursor: string | undefined): string | null {
  return cursor === undefined ? null : decodeCursor(cursor, 1)[0]!;
}

/** Cuts rows (one more than asked for tells that more follow) to a page ordered by user name. */
function page<R, T>(
  rows: R[],
  limit: number,
  userOf: (row: R) => UserEntity,
  toItem: (row: R) => T,
): Page<T> {
  const items = rows.slice(0, limit).map(toItem);
  const last = rows[limit - 1];
  if (rows.length <= limit || !last) return { items };
  return { items, cursor: encodeCursor([userOf(last).usernameKey]) };
}
