import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { DeviceSession, RpcInput, RpcOutput } from '@tidings/common/rpc/calls';
import type { STORAGE_RPC } from '@tidings/common/rpc/calls';
import { LIMITS, TIMINGS } from '@tidings/protocol/limits';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import type { Sql } from '../database/database';
import { judgeRefresh } from '../domain/refresh-rotation';
import { AccountsService } from './accounts.service';
import { SessionAnnouncer } from './session-announcer';
import { SessionsRepository, type SessionRow, type TokenRow } from './sessions.repository';
import { toUser } from './user.mapper';

type Rpc = typeof STORAGE_RPC;
type Grant = RpcOutput<Rpc, 'accounts.refresh'>;

const TOKEN_BYTES = 32;

/** Logs devices in and out, and keeps their refresh tokens turning. */
@Injectable()
export class SessionsService {
  constructor(
    private readonly accounts: AccountsService,
    private readonly sessions: SessionsRepository,
    private readonly announcer: SessionAnnouncer,
    private readonly security: SecurityLog,
  ) {}

  /**
   * Logs a device in: the one named, which must be unknown or the user's own, or a new one. The
   * least recently used device beyond the limit is logged out. Throws `bad_credentials`, `busy`,
   * `invalid_request`.
   */
  async login(input: RpcInput<Rpc, 'accounts.login'>): Promise<RpcOutput<Rpc, 'accounts.login'>> {
    const { username, password, address } = input;
    const from = { address, deviceId: input.device?.id };
    const user = await this.accounts.authenticate(username, password, from, input.guessId);
    const device = {
      id: input.device?.id ?? randomUUID(),
      userId: user.id,
      name: input.device?.name ?? null,
    };
    const { grant, ended } = await this.sessions.transaction(async (sql) => {
      // A password that was changed while this one was being checked is wrong now.
      if ((await this.sessions.lockUser(sql, user.id)) !== user.passwordHash) {
        throw new TidingsError('bad_credentials');
      }
      const opened = await this.sessions.open(sql, device);
      if (!opened) throw foreignDevice();
      return {
        grant: await this.issue(sql, opened, opened.sequence),
        ended: await this.sessions.endOldest(sql, user.id, LIMITS.devicesPerUser),
      };
    });
    await this.announcer.announce([grant, ...ended]);
    return { ...grant, user: toUser(user) };
  }

  /**
   * A new pair for a refresh token. Throws `refresh_expired`; `refresh_reused` when the token was
   * spent, and then the device is logged out.
   */
  async refresh(refreshToken: string, address?: string): Promise<Grant> {
    const outcome = await this.sessions.transaction(async (sql) => {
      const token = await this.sessions.token(sql, hashOf(refreshToken));
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
    await this.sessions.confirm(userId, deviceId, sequence);
  }

  /** Ends a device's session. Unknown devices are ignored. */
  async logout(userId: string, deviceId: string): Promise<void> {
    const ended = await this.sessions.transaction((sql) =>
      this.sessions.end(sql, userId, deviceId),
    );
    if (ended) await this.announcer.announce([ended]);
  }

  /** Throws `not_found` for a device that is logged out or unknown. */
  async current(userId: string, deviceId: string): Promise<DeviceSession> {
    const session = await this.sessions.current(userId, deviceId);
    if (!session) throw new TidingsError('not_found');
    return session;
  }

  private async turn(
    sql: Sql,
    token: TokenRow,
  ): Promise<{ grant: Grant } | { revoked: SessionRow[]; token: TokenRow } | null> {
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
      const ended = await this.sessions.end(sql, token.userId, token.deviceId);
      return { revoked: ended ? [ended] : [], token };
    }
    const grant = await this.issue(sql, token, verdict.sequence);
    await this.sessions.rotate(sql, token.deviceId, {
      issued: verdict.sequence,
      confirmed: verdict.confirmed,
    });
    return { grant };
  }

  private async issue(sql: Sql, session: SessionRow, sequence: number): Promise<Grant> {
    const { userId, deviceId, generation } = session;
    const refreshToken = randomBytes(TOKEN_BYTES).toString('base64url');
    const expiresAt = new Date(Date.now() + TIMINGS.refreshTokenSeconds * 1000);
    await this.sessions.addToken(sql, { hash: hashOf(refreshToken), session, sequence, expiresAt });
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
