import { TidingsError } from '@tidings/protocol/errors';
import type { LoginAnswer, Tokens, User } from '@tidings/protocol/http';
import type { Clock } from './clock';
import { StoppedError } from './errors';
import type { HttpClient } from './http';

/** A login as it is kept between runs. Secret: whoever has it acts as this user. */
export interface SavedSession {
  user: User;
  deviceId: string;
  accessToken: string;
  refreshToken: string;
  /** When the access token ends: Unix milliseconds by the local clock. */
  expiresAt: number;
}

/** Keeps a session; awaited before new tokens are used, so that a crash logs nobody out. */
export type SaveSession = (session: SavedSession | null) => void | Promise<void>;

/** Access tokens are renewed when they live shorter than this. */
const RENEW_BEFORE_MS = 30_000;

/** Codes after which a session is over. */
const ENDED = new Set<string>(['unauthorized', 'refresh_expired', 'refresh_reused']);

/** Whether this error says that the login is over and only a new one helps. */
export function endsSession(error: unknown): boolean {
  return error instanceof TidingsError && ENDED.has(error.code);
}

/** Holds one session's tokens and renews them; one renewal at a time. */
export class TokenKeeper {
  private session: SavedSession | null = null;
  private renewing: Promise<string> | null = null;

  constructor(
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly save: SaveSession,
  ) {}

  /** The session in use; null: nobody is logged in. */
  get current(): SavedSession | null {
    return this.session;
  }

  /** Uses a session that was kept by {@link SaveSession}. */
  restore(session: SavedSession): void {
    this.session = session;
  }

  /** Uses the session of a login. */
  async begin(answer: LoginAnswer): Promise<SavedSession> {
    const { user, deviceId } = answer;
    this.session = { user, deviceId, ...this.pair(answer) };
    await this.save(this.session);
    return this.session;
  }

  /** Forgets the session. */
  async end(): Promise<void> {
    this.session = null;
    await this.save(null);
  }

  /**
   * An access token that is valid for a while yet.
   *
   * @throws StoppedError when nobody is logged in
   */
  async token(): Promise<string> {
    if (!this.session) throw new StoppedError('not_logged_in');
    if (this.session.expiresAt - this.clock.now() > RENEW_BEFORE_MS) {
      return this.session.accessToken;
    }
    return this.renew(this.session.accessToken);
  }

  /** Another access token than `refused`: a new one, unless somebody renewed it meanwhile. */
  async renew(refused: string): Promise<string> {
    if (!this.session) throw new StoppedError('not_logged_in');
    if (this.session.accessToken !== refused) return this.session.accessToken;
    this.renewing ??= this.refresh(this.session).finally(() => (this.renewing = null));
    return this.renewing;
  }

  private async refresh(session: SavedSession): Promise<string> {
    const tokens = await this.http.request<Tokens>({
      method: 'POST',
      path: '/v1/auth/refresh',
      body: { refreshToken: session.refreshToken },
      repeatable: true,
    });
    if (this.session !== session) throw new StoppedError('not_logged_in');
    const next = { ...session, ...this.pair(tokens) };
    await this.save(next);
    this.session = next;
    return next.accessToken;
  }

  private pair(tokens: Tokens): Omit<SavedSession, 'user' | 'deviceId'> {
    const { accessToken, refreshToken, expiresInSeconds } = tokens;
    return { accessToken, refreshToken, expiresAt: this.clock.now() + expiresInSeconds * 1000 };
  }
}
