import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, MoreThanOrEqual, type Repository } from 'typeorm';
import { EVERYONE_END } from '../conversations/memberships.sql';
import { UserEntity } from './user.entity';

/** What a new account is made of. */
export type NewUser = Pick<
  UserEntity,
  | 'id'
  | 'username'
  | 'usernameKey'
  | 'email'
  | 'emailKey'
  | 'firstName'
  | 'lastName'
  | 'passwordHash'
>;

/** Above every character that a name can hold. */
const LAST_CHARACTER = '\u{10FFFF}';

/** Users, by id and by their unique keys. */
@Injectable()
export class AccountsRepository {
  constructor(@InjectRepository(UserEntity) private readonly users: Repository<UserEntity>) {}

  /** Adds a user; false when its id, name or address exists. The unique indexes decide. */
  async insert(user: NewUser): Promise<boolean> {
    const result = await this.users
      .createQueryBuilder()
      .insert()
      .values({ ...user, everyoneFrom: () => EVERYONE_END })
      .orIgnore()
      .returning('id')
      .execute();
    return (result.raw as unknown[]).length > 0;
  }

  /** Everybody who stands in the way of this new user: same id, same name or same address. */
  rivals(user: Pick<NewUser, 'id' | 'usernameKey' | 'emailKey'>): Promise<UserEntity[]> {
    const { id, usernameKey, emailKey } = user;
    return this.users.find({ where: [{ id }, { usernameKey }, { emailKey }] });
  }

  byId(id: string): Promise<UserEntity | null> {
    return this.users.findOneBy({ id });
  }

  /**
   * Who has this address and allows to be found by it. One look-up, whether there is somebody who does
   * not allow it or nobody at all: the two must not be told apart.
   */
  findableByEmail(emailKey: string): Promise<UserEntity | null> {
    return this.users.findOneBy({ emailKey, privacyFindByEmail: true });
  }

  byIds(ids: string[]): Promise<UserEntity[]> {
    return this.users.findBy({ id: In(ids) });
  }

  /** Changes columns of a user; none: nothing happens. */
  async change(id: string, changes: Partial<UserEntity>): Promise<void> {
    if (Object.keys(changes).length > 0) await this.users.update({ id }, changes);
  }

  /** A user with its password's hash, for a login. */
  withPassword(usernameKey: string): Promise<UserEntity | null> {
    return this.users
      .createQueryBuilder('user')
      .addSelect('user.passwordHash')
      .where({ usernameKey })
      .getOne();
  }

  /** The same by id, for a change of the password. */
  withPasswordById(id: string): Promise<UserEntity | null> {
    return this.users
      .createQueryBuilder('user')
      .addSelect('user.passwordHash')
      .where({ id })
      .getOne();
  }

  /** Users by name, whose key starts with `prefix` and lies behind `after`. */
  async search(prefix: string, after: string | null, limit: number): Promise<UserEntity[]> {
    const query = this.users.createQueryBuilder('user').orderBy('user.usernameKey').take(limit);
    if (prefix !== '') {
      query.where({ usernameKey: MoreThanOrEqual(prefix) });
      query.andWhere('user.usernameKey < :end', { end: prefix + LAST_CHARACTER });
    }
    if (after !== null) query.andWhere('user.usernameKey > :after', { after });
    return query.getMany();
  }
}
