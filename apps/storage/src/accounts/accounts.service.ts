import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/common/contracts/errors';
import type { Me, PatchMeBody, RegisterBody, User } from '@tidings/common/contracts/http';
import { LIMITS } from '@tidings/common/contracts/limits';
import { utf8Bytes } from '@tidings/common/contracts/text';
import { SecurityLog, type SecuritySubject } from '@tidings/common/runtime/security-log';
import { passwordProblem } from '../domain/password-rules';
import { emailKey, usernameKey, UsernameProblem } from '../domain/username';
import { AccountsRepository, type NewUser } from './accounts.repository';
import { PasswordHasher } from './password-hasher';
import type { UserEntity } from './user.entity';
import { toChanges, toMe, toUser } from './user.mapper';

/** Registers users and checks their passwords. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly hasher: PasswordHasher,
    private readonly security: SecurityLog,
  ) {}

  /**
   * Makes an account; calling it again with the same id finds it. Names and addresses are decided by
   * PostgreSQL's unique indexes. Throws `username_invalid`, `username_taken`, `email_taken`,
   * `weak_password`, `busy`.
   */
  async register(body: RegisterBody & { userId: string }): Promise<User> {
    const names = {
      id: body.userId,
      usernameKey: keyOf(body.username),
      emailKey: emailKey(body.email),
    };
    const problem = passwordProblem(body.password, body);
    if (problem) throw new TidingsError(problem.code, { detail: problem.detail });
    const before = await this.existing(names);
    if (before) return toUser(before);
    const user: NewUser = {
      ...names,
      username: body.username,
      email: body.email,
      firstName: body.firstName,
      lastName: body.lastName ?? null,
      passwordHash: await this.hasher.hash(body.password),
    };
    const made = await this.accounts.insert(user);
    const now = made ? await this.accounts.byId(user.id) : await this.existing(names);
    // Whoever was in the way is gone again: nothing was made, the caller may repeat.
    if (!now) throw new TidingsError('unavailable');
    return toUser(now);
  }

  /**
   * The user whose name and password these are, with the password's hash. `from`: who tries, for
   * the log. Throws `bad_credentials`, `busy`.
   */
  async authenticate(
    username: string,
    password: string,
    from: SecuritySubject = {},
  ): Promise<UserEntity> {
    const user = await this.candidate(username);
    const tooLong = utf8Bytes(password) > LIMITS.passwordMaxBytes;
    const fits = await this.hasher.verify(
      tooLong ? null : (user?.passwordHash ?? null),
      tooLong ? '' : password,
    );
    if (user && fits) return user;
    this.security.note('login_failed', { ...from, userId: user?.id });
    throw new TidingsError('bad_credentials');
  }

  /** Throws `not_found`. */
  async me(userId: string): Promise<Me> {
    const user = await this.accounts.byId(userId);
    if (!user) throw new TidingsError('not_found');
    return toMe(user);
  }

  /** Changes name and privacy. Throws `not_found`. */
  async patch(userId: string, body: PatchMeBody): Promise<Me> {
    await this.accounts.change(userId, toChanges(body));
    return this.me(userId);
  }

  /** The account of this very call, when an earlier one made it. Throws when another has the names. */
  private async existing(names: Pick<NewUser, 'id' | 'usernameKey' | 'emailKey'>) {
    const rivals = await this.accounts.rivals(names);
    const own = rivals.find((user) => user.id === names.id);
    if (own?.usernameKey === names.usernameKey && own.emailKey === names.emailKey) return own;
    if (rivals.some((user) => user.usernameKey === names.usernameKey)) {
      throw new TidingsError('username_taken');
    }
    if (rivals.some((user) => user.emailKey === names.emailKey)) {
      throw new TidingsError('email_taken');
    }
    if (own) throw new TidingsError('invalid_request', { detail: 'This id has another account' });
    return null;
  }

  private async candidate(username: string): Promise<UserEntity | null> {
    try {
      return await this.accounts.withPassword(usernameKey(username));
    } catch (error) {
      if (error instanceof UsernameProblem) return null;
      throw error;
    }
  }
}

function keyOf(username: string): string {
  try {
    return usernameKey(username);
  } catch (error) {
    if (!(error instanceof UsernameProblem)) throw error;
    throw new TidingsError('username_invalid', { detail: `The user name ${error.message}` });
  }
}
