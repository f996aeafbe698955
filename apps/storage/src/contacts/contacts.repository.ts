import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { UserEntity } from '../accounts/user.entity';
import { ContactEntity } from './contact.entity';

/** A contact with what the list shows of it. */
export interface ContactRow {
  user: UserEntity;
  mutual: boolean;
}

/** Whether the user of the list blocks the one of the row: what that one does is not shown then. */
const BLOCKS_THEM = `EXISTS (SELECT 1 FROM blocks
  WHERE blocks.user_id = :userId AND blocks.blocked_id = "user"."id")`;

/** Who has whom in the list of contacts. */
@Injectable()
export class ContactsRepository {
  constructor(
    @InjectRepository(ContactEntity) private readonly contacts: Repository<ContactEntity>,
    @InjectRepository(UserEntity) private readonly users: Repository<UserEntity>,
  ) {}

  /** Adds a contact; false when it was there. */
  async put(userId: string, contactId: string): Promise<boolean> {
    const result = await this.contacts
      .createQueryBuilder()
      .insert()
      .values({ userId, contactId })
      .orIgnore()
      .returning('user_id')
      .execute();
    return (result.raw as unknown[]).length > 0;
  }

  /** Removes a contact; false when there was none. */
  async delete(userId: string, contactId: string): Promise<boolean> {
    const { affected } = await this.contacts.delete({ userId, contactId });
    return (affected ?? 0) > 0;
  }

  has(userId: string, contactId: string): Promise<boolean> {
    return this.contacts.existsBy({ userId, contactId });
  }

  /** The user's contacts by name, behind the name `after`. */
  async list(userId: string, after: string | null, limit: number): Promise<ContactRow[]> {
    const query = this.users
      .createQueryBuilder('user')
      .innerJoin(ContactEntity, 'mine', 'mine.contactId = user.id AND mine.userId = :userId')
      .leftJoin(ContactEntity, 'theirs', 'theirs.userId = user.id AND theirs.contactId = :userId')
      .addSelect(`theirs.userId IS NOT NULL AND NOT ${BLOCKS_THEM}`, 'mutual')
      .orderBy('user.usernameKey')
      .limit(limit)
      .setParameter('userId', userId);
    if (after !== null) query.where('user.usernameKey > :after', { after });
    const { entities, raw } = await query.getRawAndEntities<{ mutual: boolean }>();
    return entities.map((user, i) => ({ user, mutual: raw[i]!.mutual }));
  }

  /** People who have the user as a contact, and whom the user neither has nor blocks, by name. */
  async incoming(userId: string, after: string | null, limit: number): Promise<UserEntity[]> {
    const query = this.users
      .createQueryBuilder('user')
      .innerJoin(ContactEntity, 'theirs', 'theirs.userId = user.id AND theirs.contactId = :userId')
      .leftJoin(ContactEntity, 'mine', 'mine.contactId = user.id AND mine.userId = :userId')
      .where(`mine.userId IS NULL AND NOT ${BLOCKS_THEM}`)
      .orderBy('user.usernameKey')
      .limit(limit)
      .setParameter('userId', userId);
    if (after !== null) query.andWhere('user.usernameKey > :after', { after });
    return query.getMany();
  }
}
