import { TidingsError } from '@tidings/protocol/errors';
import type { LoginAnswer, Tokens, User } from '@tidings/protocol/http';
import type { Clock } from './clock';
import { StoppedError } from './errors';
import type { HttpClient } from './http';

/** A login as it is saved between runs. Secret: whoever has it can act as this user. */
export interface SavedLogin {
  user: User;
  deviceId: string;
  accessToken: string;
  refreshToken: string;
  /** When the access token expires, in Unix milliseconds by the local clock. */
  expiresAt: number;
}

/** Saves a login. Awaited before new tokens are used, so that a crash logs nobody out. */
export type SaveLogin = (login: SavedLogin | null) => void | Promise<void>;

/** Access tokens are renewed when they have less than this left. */
const RENEW_BEFORE_MS = 30_000;

/** Codes after which a login has ended. */
const ENDED = new Set<string>(['unauthorized', 'refresh_expired', 'refresh_reused']);

/** Whether this error says that the login has ended, so that only a new one helps. */
export function endsLogin(error: unknown): boolean {
  return error instanceof TidingsError && ENDED.has(error.code);
}

/** Holds the tokens of one login and renews them, one renewal at a time. */
export class TokenKeeper {
  private login: SavedLogin | null = null;
  private renewing: Promise<string> | null = null;

  constructor(
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly save: SaveLogin,
  ) {}

  /** The login in use; null: nobody is logged in. */
  get current(): SavedLogin | null {
    return this.login;
  }

  /** Uses a login that was saved by {@link SaveLogin}. */
  restore(login: SavedLogin): void {
    this.login = login;
  }

  /** Uses the answer to a login. */
  async begin(answer: LoginAnswer): Promise<SavedLogin> {
    const { user, deviceId } = answer;
    this.login = { user, deviceId, ...this.pair(answer) };
    await this.save(this.login);
    return this.login;
  }

  /** Forgets the login. */
  async end(): Promise<void> {
    this.login = null;
    await this.save(null);
  }

  /**
   * An access token that is still valid for a while.
   *
   * @throws StoppedError when nobody is logged in
   */
  async token(): Promise<string> {
    if (!this.login) throw new StoppedError('not_logged_in');
    if (this.login.expiresAt - this.clock.now() > RENEW_BEFORE_MS) {
      return this.login.accessToken;
    }
    return this.renew(this.login.accessToken);
  }

  /** Another access token than `refused`: a new one, unless it was renewed meanwhile. */
  async renew(refused: string): Promise<string> {
    if (!this.login) throw new StoppedError('not_logged_in');
    if (this.login.accessToken !== refused) return this.login.accessToken;
    this.renewing ??= this.refresh(this.login).finally(() => (this.renewing = null));
    return this.renewing;
  }

  private async refresh(login: SavedLogin): Promise<string> {
    const tokens = await this.http.request<Tokens>({
      method: 'POST',
      path: '/v1/auth/refresh',
      body: { refreshToken: login.refreshToken },
      repeatable: true,
    });
    if (this.login !== login) throw new StoppedError('not_logged_in');
    const next = { ...login, ...this.pair(tokens) };
    await this.save(next);
    this.login = next;
    return next.accessToken;
  }

  private pair(tokens: Tokens): Omit<SavedLogin, 'user' | 'deviceId'> {
    const { accessToken, refreshToken, expiresInSeconds } = tokens;
    return { accessToken, refreshToken, expiresAt: this.clock.now() + expiresInSeconds * 1000 };
  }
}
