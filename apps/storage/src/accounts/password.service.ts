import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { DeviceLogin, RpcInput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { LIMITS } from '@tidings/protocol/limits';
import { utf8Bytes } from '@tidings/protocol/text';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { passwordProblem } from '../domain/password-rules';
import { AccountsRepository } from './accounts.repository';
import { LoginFailures } from './login-failures';
import { attemptOf, flowOf, isRateLimited, PasswordGuesses } from './password-guesses';
import { PasswordHasher } from './password-hasher';
import { LoginAnnouncer } from './login-announcer';
import { LoginsRepository } from './logins.repository';
import type { UserEntity } from './user.entity';

type Change = RpcInput<typeof STORAGE_RPC, 'accounts.password'>;

/** Changes passwords. */
@Injectable()
export class PasswordService {
  constructor(
    private readonly accounts: AccountsRepository,
    private readonly hasher: PasswordHasher,
    private readonly logins: LoginsRepository,
    private readonly announcer: LoginAnnouncer,
    private readonly security: SecurityLog,
    private readonly guesses: PasswordGuesses,
    private readonly failures: LoginFailures,
  ) {}

  /**
   * Changes the password and ends every device but the calling one; returns those that it ended.
   * A repetition (`next` is the password already) succeeds, so that a lost answer does no harm.
   * Throws `weak_password`, `invalid_request`, `bad_credentials`, `rate_limited`, `unauthorized` when the
   * calling device is logged out, `busy`.
   */
  async change(input: Change): Promise<{ ended: DeviceLogin[] }> {
    // Somebody may change the password while it is being checked here; then it is checked once more.
    const ended = (await this.attempt(input)) ?? (await this.attempt(input));
    if (!ended) throw new TidingsError('unavailable');
    const { userId, deviceId, address } = input;
    this.security.note('password_changed', { userId, deviceId, address });
    await this.announcer.announce(ended);
    return { ended };
  }

  /** Null: the password that was checked is not the user's any more. */
  private async attempt(input: Change): Promise<DeviceLogin[] | null> {
    const { userId, deviceId, generation, next } = input;
    const user = await this.accounts.withPasswordById(userId);
    if (!user) throw new TidingsError('unauthorized');
    const problem = passwordProblem(next, user);
    if (problem) throw new TidingsError(problem.code, { detail: problem.detail });
    const hash = await this.nextHash(user, input);
    return this.logins.transaction(async (sql) => {
      const present = await this.logins.lockUser(sql, userId);
      if (present?.hash !== user.passwordHash) return null;
      const caller = await this.logins.current(userId, deviceId, sql);
      if (caller?.generation !== generation) throw new TidingsError('unauthorized');
      if (hash !== null) await this.logins.setPassword(sql, userId, hash);
      return this.logins.endOthers(sql, userId, deviceId, 'logged_out');
    });
  }

  /** The new password's hash; null: it is the user's password already. */
  private async nextHash(user: UserEntity, input: Change): Promise<string | null> {
    const { current, next, userId, deviceId, address, guessId } = input;
    const attempt = attemptOf(user.usernameKey, address, deviceId, guessId);
    const { hasher } = this;
    let known = false;
    const look = async (): Promise<boolean> => {
      const tooLong = utf8Bytes(current) > LIMITS.passwordMaxBytes;
      known = !tooLong && (await hasher.verifyNow(user.passwordHash, current));
      return known || hasher.verifyNow(user.passwordHash, next);
    };
    const work = async (): Promise<string | null> => {
      if (!(await this.guesses.judge(attempt, look))) throw new TidingsError('bad_credentials');
      return known ? hasher.hashNow(next) : null;
    };
    return hasher.turn(flowOf(attempt), work).catch((error: unknown) => {
      const wrong = error instanceof TidingsError && error.code === 'bad_credentials';
      if (wrong) this.security.note('password_refused', { userId, deviceId, address });
      if (wrong) this.failures.note(userId);
      if (isRateLimited(error)) {
        this.security.note('password_throttled', { userId, deviceId, address });
      }
      throw error;
    });
  }
}
