import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { Me, PatchMeBody, RegisterBody, User } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { utf8Bytes } from '@tidings/protocol/text';
import { SecurityLog, type SecuritySubject } from '@tidings/common/runtime/security-log';
import { passwordProblem } from '../domain/password-rules';
import { emailKey, nameKey, usernameKey, UsernameProblem } from '../domain/username';
import { Patience } from '../database/while-away';
import { AccountsRepository, type NewUser } from './accounts.repository';
import { DevicesRepository } from './devices.repository';
import { LoginFailures } from './login-failures';
import { attemptOf, flowOf, isRateLimited, PasswordGuesses } from './password-guesses';
import { PasswordHasher } from './password-hasher';
import type { UserEntity } from './user.entity';
import { toChanges, toMe, toUser } from './user.mapper';

/** How long after it was made an account is found by the registration that made it, in milliseconds. */
const REPEAT_WITHIN_MS = 10 * 60_000;

/** Registers users and checks their passwords. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly hasher: PasswordHasher,
    private readonly security: SecurityLog,
    private readonly guesses: PasswordGuesses,
    private readonly devices: DevicesRepository,
    private readonly failures: LoginFailures,
  ) {}

  /**
   * Makes an account; calling it again with the same id finds it, and so does the same registration
   * with the same password soon after: whoever did not get the first answer asks again. Names and
   * addresses are decided by PostgreSQL's unique indexes. Throws `username_invalid`, `username_taken`, `email_taken`,
   * `weak_password`, `busy`.
   */
  async register(body: RegisterBody & { userId: string; address?: string }): Promise<User> {
    const names = {
      id: body.userId,
      usernameKey: keyOf(body.username),
      emailKey: emailKey(body.email),
    };
    const problem = passwordProblem(body.password, body);
    if (problem) throw new TidingsError(problem.code, { detail: problem.detail });
    const patience = new Patience();
    const before = await this.existing(names, body, patience);
    if (before) return toUser(before);
    const user: NewUser = {
      ...names,
      username: body.username,
      email: body.email,
      firstName: body.firstName,
      lastName: body.lastName ?? null,
      passwordHash: await this.hasher.hash(
        body.password,
        flowOf(attemptOf(names.usernameKey, body.address, null)),
      ),
    };
    // Made before a lost answer, it is found by its id.
    const made = await patience.with(() => this.accounts.insert(user));
    const now = made
      ? await patience.with(() => this.accounts.byId(user.id))
      : await this.existing(names, body, patience);
    // Whoever was in the way is gone again: nothing was made, the caller may repeat.
    if (!now) throw new TidingsError('unavailable');
    return toUser(now);
  }

  /**
   * The user whose name and password these are, with the password's hash. `from`: who tries, for
   * the log and the counts of guesses; `guessId`: see {@link Attempt}. Throws `bad_credentials`, `forbidden` (the
   * account is disabled), `rate_limited`, `busy`.
   */
  async authenticate(
    username: string,
    password: string,
    from: SecuritySubject = {},
    guessId: string | null = null,
    patience = new Patience(),
  ): Promise<UserEntity> {
    const name = nameKey(username);
    const [user, known] = await patience.with(async () => {
      const found = name === null ? null : await this.accounts.withPassword(name);
      return [found, await this.devices.isOf(from.deviceId ?? null, found?.id ?? null)] as const;
    });
    const deviceId = known ? from.deviceId! : null;
    const attempt = attemptOf(name ?? username, from.address, deviceId, guessId);
    const tooLong = utf8Bytes(password) > LIMITS.passwordMaxBytes;
    const phc = tooLong ? null : (user?.passwordHash ?? null);
    const look = (): Promise<boolean> => this.hasher.verifyNow(phc, tooLong ? '' : password);
    const fits = await this.hasher
      .turn(flowOf(attempt), () => this.guesses.judge(attempt, look))
      .catch((error: unknown) => {
        if (isRateLimited(error))
          this.security.note('login_throttled', { ...from, userId: user?.id });
        throw error;
      });
    if (user && fits) {
      if (user.disabledAt !== null) {
        this.security.note('login_disabled', { ...from, userId: user.id });
        throw accountDisabled();
      }
      return user;
    }
    this.security.note('login_failed', { ...from, userId: user?.id });
    if (user) this.failures.note(user.id);
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

  /** The account of this registration, when an earlier one made it. Throws when another has the names. */
  private async existing(
    names: Pick<NewUser, 'id' | 'usernameKey' | 'emailKey'>,
    body: RegisterBody & { address?: string },
    patience: Patience,
  ): Promise<UserEntity | null> {
    const rivals = await patience.with(() => this.accounts.rivals(names));
    const own = rivals.find((user) => user.id === names.id);
    if (own?.usernameKey === names.usernameKey && own.emailKey === names.emailKey) return own;
    const holder = rivals.find((user) => user.usernameKey === names.usernameKey);
    if (holder) {
      if (await this.isRepetition(holder, names.emailKey, body, patience)) return holder;
      throw new TidingsError('username_taken');
    }
    if (rivals.some((user) => user.emailKey === names.emailKey)) {
      throw new TidingsError('email_taken');
    }
    if (own) throw new TidingsError('invalid_request', { detail: 'This id has another account' });
    return null;
  }

  /**
   * Whether this is the registration that made the account: the same data and its password. A
   * password is checked in any case, so that the time of the answer tells nothing of the account.
   */
  private async isRepetition(
    holder: UserEntity,
    emailKey: string,
    body: RegisterBody & { address?: string },
    patience: Patience,
  ): Promise<boolean> {
    const same =
      holder.emailKey === emailKey &&
      holder.firstName === body.firstName &&
      holder.lastName === (body.lastName ?? null) &&
      Date.now() - holder.createdAt.getTime() <= REPEAT_WITHIN_MS;
    const user = same ? await patience.with(() => this.accounts.withPasswordById(holder.id)) : null;
    const attempt = attemptOf(holder.usernameKey, body.address, null);
    const look = (): Promise<boolean> =>
      this.hasher.verifyNow(user?.passwordHash ?? null, body.password);
    // whoever guesses here guesses as in a login
    return this.hasher.turn(flowOf(attempt), () =>
      user ? this.guesses.judge(attempt, look) : look(),
    );
  }
}

/** Of who gave the right password. */
export function accountDisabled(): TidingsError {
  return new TidingsError('forbidden', { detail: 'This account is disabled' });
}

function keyOf(username: string): string {
  try {
    return usernameKey(username);
  } catch (error) {
    if (!(error instanceof UsernameProblem)) throw error;
    throw new TidingsError('username_invalid', { detail: `The user name ${error.message}` });
  }
}
