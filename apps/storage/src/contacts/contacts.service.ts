import { Injectable } from '@nestjs/common';
import { blockEffect } from '@tidings/protocol/blocks';
import { TidingsError } from '@tidings/protocol/errors';
import type { Contact, Page, User } from '@tidings/protocol/http';
import { AccountsRepository } from '../accounts/accounts.repository';
import type { UserEntity } from '../accounts/user.entity';
import { toUser } from '../accounts/user.mapper';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { BlocksRepository } from '../blocks/blocks.repository';
import { ContactsRepository } from './contacts.repository';

/** The people whom a user has added, and those who have added the user. */
@Injectable()
export class ContactsService {
  constructor(
    private readonly contacts: ContactsRepository,
    private readonly accounts: AccountsRepository,
    private readonly blocks: BlocksRepository,
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
  async put(
    userId: string,
    contactId: string,
  ): Promise<Contact & { added: boolean; unseen: boolean }> {
    if (userId === contactId) {
      throw new TidingsError('invalid_request', { detail: 'You cannot be your own contact' });
    }
    const user = await this.accounts.byId(contactId);
    if (!user) throw new TidingsError('not_found');
    const added = await this.contacts.put(userId, contactId);
    return { user: toUser(user), added, ...(await this.standing(userId, contactId)) };
  }

  /** Removes a contact; removing it again changes nothing. */
  async delete(
    userId: string,
    contactId: string,
  ): Promise<{ removed: boolean; mutual: boolean; unseen: boolean }> {
    const removed = await this.contacts.delete(userId, contactId);
    return { removed, ...(await this.standing(userId, contactId)) };
  }

  /** Whether the other one has the user, as the user may know it, and must not be told of the user. */
  private async standing(userId: string, contactId: string) {
    const [has, blocked, blocks] = await Promise.all([
      this.contacts.has(contactId, userId),
      this.blocks.blocking([contactId], userId),
      this.blocks.blocking([userId], contactId),
    ]);
    const unseen = blockEffect('contact', 'blocked') === 'unseen';
    return { mutual: has && !(unseen && blocks.length > 0), unseen: unseen && blocked.length > 0 };
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
