import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { DeviceLogin, RpcInput, RpcOutput, LoginEnd } from '@tidings/common/rpc/calls';
import type { STORAGE_RPC } from '@tidings/common/rpc/calls';
import { LIMITS, TIMINGS } from '@tidings/protocol/limits';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import type { Sql } from '../database/database';
import { judgeRefresh } from '../domain/refresh-rotation';
import type { LoginPolicy } from '@tidings/common/runtime/env';
import { SocketEnds } from '@tidings/common/redis/socket-ends';
import { Patience } from '../database/while-away';
import { accountDisabled, AccountsService } from './accounts.service';
import { LoginAnnouncer } from './login-announcer';
import { LoginsRepository, type LoginRow, type TokenRow } from './logins.repository';
import { toUser } from './user.mapper';

type Rpc = typeof STORAGE_RPC;
type Grant = RpcOutput<Rpc, 'accounts.refresh'>;

const TOKEN_BYTES = 32;
/** So long after its login or its last sign of life a login is in use, for `single-reject`. */
const IN_USE_SECONDS = 120;

/** How often somebody may be logged in at once. */
export class LoginRule {
  constructor(readonly name: LoginPolicy) {}
}

/** Logs devices in and out, and keeps their refresh tokens turning. */
@Injectable()
export class LoginsService {
  constructor(
    private readonly accounts: AccountsService,
    private readonly logins: LoginsRepository,
    private readonly announcer: LoginAnnouncer,
    private readonly security: SecurityLog,
    private readonly sockets: SocketEnds,
    private readonly policy: LoginRule,
  ) {}

  /**
   * Logs a device in: the one named, which must be unknown or the user's own, or a new one. The
   * others are ended as the policy says; of several the least recently used beyond the limit. Throws
   * `bad_credentials`, `forbidden`, `logged_in_elsewhere`, `busy`, `invalid_request`.
   */
  async login(input: RpcInput<Rpc, 'accounts.login'>): Promise<RpcOutput<Rpc, 'accounts.login'>> {
    const { username, password, address } = input;
    const from = { address, deviceId: input.device?.id };
    const patience = new Patience();
    const { guessId } = input;
    const user = await this.accounts.authenticate(username, password, from, guessId, patience);
    const device = {
      id: input.device?.id ?? randomUUID(),
      userId: user.id,
      name: input.device?.name ?? null,
    };
    const begin = async (sql: Sql) => {
      // A password that was changed while this one was being checked is wrong now.
      const present = await this.logins.lockUser(sql, user.id);
      if (present?.hash !== user.passwordHash) throw new TidingsError('bad_credentials');
      if (present.disabled) throw accountDisabled();
      await this.requireFree(sql, device);
      const opened = await this.logins.open(sql, device);
      if (!opened) throw foreignDevice();
      return {
        grant: await this.issue(sql, opened, opened.sequence),
        ended: await this.endOthers(sql, device),
      };
    };
    // Done twice it has the same device, and another generation.
    const { grant, ended } = await patience.with(() => this.logins.transaction(begin));
    const end = this.policy.name === 'multi' ? 'logged_out' : 'replaced';
    await Promise.all([this.announcer.announce([grant]), this.announcer.announce(ended, end)]);
    const deviceIds = ended.map(({ deviceId }) => deviceId);
    await this.sockets.close(user.id, deviceIds, end);
    return { ...grant, user: toUser(user) };
  }

  /**
   * A new pair for a refresh token. Throws `refresh_expired`; `refresh_reused` when the token was
   * spent, and then the device is logged out.
   */
  async refresh(refreshToken: string, address?: string): Promise<Grant> {
    const outcome = await this.logins.transaction(async (sql) => {
      const token = await this.logins.token(sql, hashOf(refreshToken));
      return token ? this.turn(sql, token) : null;
    });
    if (!outcome) throw new TidingsError('refresh_expired');
    if ('grant' in outcome) return outcome.grant;
    const { userId, deviceId } = outcome.token;
    this.security.note('refresh_reused', { userId, deviceId, address });
    await this.announcer.announce(outcome.revoked);
    throw new TidingsError('refresh_reused');
  }

  /** The pair with this sequence was used for the first time. Unknown devices are ignored. */
  async confirm(userId: string, deviceId: string, sequence: number): Promise<void> {
    await this.logins.confirm(userId, deviceId, sequence);
  }

  /** Ends a device's login. Unknown devices are ignored. */
  async logout(userId: string, deviceId: string): Promise<void> {
    const ended = await this.logins.transaction((sql) => this.logins.end(sql, userId, deviceId));
    if (ended) await this.announcer.announce([ended]);
  }

  /** Throws `not_found` for a device that is logged out or unknown. */
  async current(userId: string, deviceId: string): Promise<DeviceLogin> {
    const login = await this.logins.current(userId, deviceId);
    if (!login) throw new TidingsError('not_found');
    return login;
  }

  /** How a device's last login ended. */
  async endOf(userId: string, deviceId: string): Promise<{ reason: LoginEnd }> {
    return { reason: (await this.logins.endOf(userId, deviceId)) ?? 'logged_out' };
  }

  /** Notes when devices gave their last sign of life. */
  async alive(items: RpcInput<Rpc, 'accounts.alive'>['items']): Promise<void> {
    if (items.length > 0) await this.logins.alive(items);
  }

  /** Throws `logged_in_elsewhere` where the policy refuses a login beside another one. */
  private async requireFree(sql: Sql, device: { id: string; userId: string }): Promise<void> {
    if (this.policy.name !== 'single-reject') return;
    const idle = await this.logins.idleSeconds(sql, device);
    if (idle === null || idle >= IN_USE_SECONDS) return;
    const retryAfterMs = Math.ceil((IN_USE_SECONDS - idle) * 1000);
    throw new TidingsError('logged_in_elsewhere', { retryAfterMs });
  }

  private endOthers(sql: Sql, { id, userId }: { id: string; userId: string }): Promise<LoginRow[]> {
    return this.policy.name === 'multi'
      ? this.logins.endOldest(sql, userId, LIMITS.devicesPerUser)
      : this.logins.replace(sql, userId, id);
  }

  private async turn(
    sql: Sql,
    token: TokenRow,
  ): Promise<{ grant: Grant } | { revoked: LoginRow[]; token: TokenRow } | null> {
    const verdict = judgeRefresh(
      {
        loggedIn: token.loggedIn,
        generation: String(token.generation),
        issued: token.issued,
        confirmed: token.confirmed,
      },
      {
        generation: String(token.tokenGeneration),
        sequence: token.sequence,
        expiresAtMs: token.expiresAt.getTime(),
      },
      Date.now(),
    );
    if (verdict.kind === 'expired') return null;
    if (verdict.kind === 'reused') {
      const ended = await this.logins.end(sql, token.userId, token.deviceId);
      return { revoked: ended ? [ended] : [], token };
    }
    const grant = await this.issue(sql, token, verdict.sequence);
    await this.logins.rotate(sql, token.deviceId, {
      issued: verdict.sequence,
      confirmed: verdict.confirmed,
    });
    return { grant };
  }

  private async issue(sql: Sql, login: LoginRow, sequence: number): Promise<Grant> {
    const { userId, deviceId, generation } = login;
    const refreshToken = randomBytes(TOKEN_BYTES).toString('base64url');
    const expiresAt = new Date(Date.now() + TIMINGS.refreshTokenSeconds * 1000);
    await this.logins.addToken(sql, { hash: hashOf(refreshToken), login, sequence, expiresAt });
    return { userId, deviceId, generation, refreshToken, sequence };
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function foreignDevice(): TidingsError {
  return new TidingsError('invalid_request', {
    errors: [{ path: 'device.id', message: 'belongs to somebody else' }],
  });
}
