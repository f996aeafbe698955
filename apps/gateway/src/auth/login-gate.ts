import { TidingsError } from '@tidings/protocol/errors';
import { END_CLOSES } from '@tidings/common/redis/socket-ends';
import type { DeviceLogins } from '@tidings/common/redis/logins';
import { LRUCache } from 'lru-cache';
import type { LoginEnd } from '@tidings/common/rpc/calls';
import type { StorageClient } from '../service-clients';

/** How long a positive answer is used: the documented grace after a logout, milliseconds. */
const GRACE_MS = 1_000;
const MAX_DEVICES = 50_000;
const STORAGE_TIMEOUT_MS = 2_000;

/**
 * Whether a device's login is still the one that a token, ticket or connection was made for: from
 * memory for up to a second, then Redis' copy, then storage.
 */
export class LoginGate {
  private readonly valid = new LRUCache<string, { generation: number; at: number }>({
    max: MAX_DEVICES,
  });

  constructor(
    private readonly logins: Pick<DeviceLogins, 'get' | 'raise' | 'endOf'>,
    private readonly storage: Pick<StorageClient, 'call'>,
    private readonly clock: () => number,
  ) {}

  /**
   * Returns when the login is valid. Throws `unauthorized` when it has ended, `unavailable` when
   * neither Redis nor storage can tell.
   */
  async require(userId: string, deviceId: string, generation: number): Promise<void> {
    const known = this.valid.get(userId + deviceId);
    if (known?.generation === generation && this.clock() - known.at <= GRACE_MS) return;
    await this.requireNow(userId, deviceId, generation);
  }

  /** The same without the grace: for what outlives this call, a socket. */
  async requireNow(userId: string, deviceId: string, generation: number): Promise<void> {
    const now = this.clock();
    const current = await this.current(userId, deviceId, generation);
    if (current !== generation) {
      throw new TidingsError('unauthorized', { detail: 'This session has ended' });
    }
    this.valid.set(userId + deviceId, { generation, at: now });
  }

  /** The same as an answer; throws only `unavailable`. */
  async isValid(userId: string, deviceId: string, generation: number): Promise<boolean> {
    try {
      await this.require(userId, deviceId, generation);
      return true;
    } catch (error) {
      if (error instanceof TidingsError && error.code === 'unauthorized') return false;
      throw error;
    }
  }

  /**
   * What the socket of a login that has ended is closed with: by Redis' word, then storage's, and as
   * logged out when neither can tell.
   */
  async closeOf(userId: string, deviceId: string): Promise<{ code: number; reason: string }> {
    const told = await this.logins.endOf(userId, deviceId).catch(() => null);
    return END_CLOSES[told ?? (await this.askEnd(userId, deviceId))];
  }

  /** Forgets what is known of a device: this gateway has just ended its login. */
  forget(userId: string, deviceId: string): void {
    this.valid.delete(userId + deviceId);
  }

  private async current(
    userId: string,
    deviceId: string,
    generation: number,
  ): Promise<number | null> {
    const copy = await this.logins.get(userId, deviceId).catch(() => null);
    // A copy that lags behind PostgreSQL must not end a login that is newer than itself.
    if (copy !== null && copy >= generation) return copy;
    return this.ask(userId, deviceId);
  }

  private async askEnd(userId: string, deviceId: string): Promise<LoginEnd> {
    try {
      const input = { userId, deviceId };
      const options = { timeoutMs: STORAGE_TIMEOUT_MS };
      return (await this.storage.call('accounts.ended', input, options)).reason;
    } catch {
      return 'logged_out';
    }
  }

  private async ask(userId: string, deviceId: string): Promise<number | null> {
    try {
      const input = { userId, deviceId };
      const login = await this.storage.call('accounts.session', input, {
        timeoutMs: STORAGE_TIMEOUT_MS,
      });
      this.logins.raise(userId, deviceId, login.generation).catch(() => undefined);
      return login.generation;
    } catch (error) {
      if (error instanceof TidingsError && error.code === 'not_found') return null;
      throw error;
    }
  }
}
