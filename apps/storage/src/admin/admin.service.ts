import { Injectable } from '@nestjs/common';
import type { AdminUser, Role } from '@tidings/protocol/admin';
import { TidingsError } from '@tidings/protocol/errors';
import type {
  ActsBy,
  RpcInput,
  RpcOutput,
  LoginEnd,
  STORAGE_RPC,
  Whom,
} from '@tidings/common/rpc/calls';
import { SocketEnds } from '@tidings/common/redis/socket-ends';
import { DevicesRepository } from '../accounts/devices.repository';
import { toSession } from '../accounts/devices.service';
import { LoginAnnouncer } from '../accounts/login-announcer';
import { LoginsRepository, type LoginRow } from '../accounts/logins.repository';
import { toUser } from '../accounts/user.mapper';
import type { Sql } from '../database/database';
import { decodeCursor, encodeCursor } from '../domain/cursor';
import { nameKey } from '../domain/username';
import { LeadersRepository } from '../leader/leaders.repository';
import { AuditRepository } from './audit.repository';
import { RolesRepository, type AdminRow } from './roles.repository';

type Rpc = typeof STORAGE_RPC;
type Acted = RpcOutput<Rpc, 'admin.role'>;

/** What an act did. */
interface Deed {
  changed: boolean;
  detail?: Record<string, string>;
  ended?: { sessions: LoginRow[]; end: LoginEnd };
}

/**
 * What operators do. Each act, its row of the audit and the check of who acts are one transaction;
 * copies in Redis and sockets follow. All of them throw `forbidden` for who is no operator and
 * `not_found` for an unknown account.
 */
@Injectable()
export class AdminService {
  constructor(
    private readonly roles: RolesRepository,
    private readonly audit: AuditRepository,
    private readonly devices: DevicesRepository,
    private readonly logins: LoginsRepository,
    private readonly announcer: LoginAnnouncer,
    private readonly sockets: SocketEnds,
    private readonly leaders: LeadersRepository,
  ) {}

  /** Who leads which service. */
  async cluster({ by }: RpcInput<Rpc, 'admin.cluster'>): Promise<RpcOutput<Rpc, 'admin.cluster'>> {
    await this.requireOperator(by);
    const leaders = (await this.leaders.list()).map(({ service, nodeId, bootId, term, since }) => ({
      service,
      node: nodeId,
      bootId,
      term,
      since: since.toISOString(),
    }));
    return { leaders };
  }

  /** Who has a role. */
  async list({
    by,
    cursor,
    limit,
  }: RpcInput<Rpc, 'admin.roles'>): Promise<RpcOutput<Rpc, 'admin.roles'>> {
    await this.requireOperator(by);
    const after = cursor === undefined ? null : decodeCursor(cursor, 1)[0]!;
    const found = await this.roles.holders(after, limit + 1);
    const items = found.slice(0, limit).map(toAdminUser);
    const last = found[limit - 1];
    return found.length > limit && last ? { items, cursor: encodeCursor([last.key]) } : { items };
  }

  /** Gives a role, or takes it. Throws `not_allowed` for the last operator. */
  role({ by, whom, role, granted }: RpcInput<Rpc, 'admin.role'>): Promise<Acted> {
    return this.act(by, whom, granted ? 'grant' : 'revoke', async (sql, { id, roles }) => {
      if (!granted && role === 'operator' && roles.includes(role)) await this.keepOne(sql, id);
      const change = granted ? 'grant' : 'revoke';
      return { changed: await this.roles[change](sql, id, role), detail: { role } };
    });
  }

  /** Ends everything that the account can do. Throws `not_allowed` for the last operator. */
  disable({ by, whom, reason }: RpcInput<Rpc, 'admin.disable'>): Promise<Acted> {
    return this.act(by, whom, 'disable', async (sql, { id, roles }) => {
      if (roles.includes('operator')) await this.keepOne(sql, id);
      const changed = await this.roles.setDisabled(sql, id, true);
      const sessions = await this.logins.endAll(sql, id, 'disabled');
      const detail = reason === undefined ? undefined : { reason };
      return { changed, detail, ended: { sessions, end: 'disabled' } };
    });
  }

  enable({ by, whom }: RpcInput<Rpc, 'admin.enable'>): Promise<Acted> {
    return this.act(by, whom, 'enable', async (sql, { id }) => ({
      changed: await this.roles.setDisabled(sql, id, false),
    }));
  }

  /** Logs out one device, or all. Throws `not_found` for an unknown device. */
  end({ by, whom, deviceId }: RpcInput<Rpc, 'admin.end'>): Promise<Acted> {
    return this.act(by, whom, 'end', async (sql, { id }) => {
      const sessions =
        deviceId === undefined
          ? await this.logins.endAll(sql, id, 'logged_out')
          : await this.endOne(sql, id, deviceId);
      const detail = deviceId === undefined ? undefined : { deviceId };
      const changed = sessions.length > 0;
      return { changed, detail, ended: { sessions, end: 'logged_out' } };
    });
  }

  /** Where an account is logged in. Looking leaves a row in the audit, too. */
  async showSessions({
    by,
    whom,
  }: RpcInput<Rpc, 'admin.sessions'>): Promise<RpcOutput<Rpc, 'admin.sessions'>> {
    await this.requireOperator(by);
    const user = await this.find(whom);
    const devices = await this.devices.loggedIn(user.id);
    await this.audit.addAlone({ by, action: 'sessions', subject: user.id, changed: false });
    return { user: toAdminUser(user), items: devices.map(toSession) };
  }

  private async act(
    by: ActsBy,
    whom: Whom,
    action: string,
    work: (sql: Sql, user: AdminRow) => Promise<Deed>,
  ): Promise<Acted> {
    const { user, deed } = await this.logins.transaction(async (sql) => {
      await this.roles.lock(sql);
      await this.requireOperator(by, sql);
      const { id } = await this.find(whom, sql);
      // a login that is under way comes before it or after it
      await this.logins.lockUser(sql, id);
      const done = await work(sql, await this.find({ userId: id }, sql));
      const { changed, detail } = done;
      await this.audit.add(sql, { by, action, subject: id, changed, detail });
      return { user: await this.find({ userId: id }, sql), deed: done };
    });
    if (deed.ended) await this.closeAll(user.id, deed.ended);
    return { user: toAdminUser(user), changed: deed.changed };
  }

  private async closeAll(
    userId: string,
    { sessions, end }: { sessions: LoginRow[]; end: LoginEnd },
  ): Promise<void> {
    await this.announcer.announce(sessions, end);
    const deviceIds = sessions.map(({ deviceId }) => deviceId);
    await this.sockets.close(userId, deviceIds, end);
  }

  private async endOne(sql: Sql, userId: string, deviceId: string): Promise<LoginRow[]> {
    const live = await this.logins.current(userId, deviceId, sql);
    const ended = await this.logins.end(sql, userId, deviceId);
    if (!ended) throw new TidingsError('not_found');
    return live ? [ended] : [];
  }

  /** Somebody has to be able to undo what operators do. */
  private async keepOne(sql: Sql, userId: string): Promise<void> {
    if (await this.roles.hasOtherOperator(sql, userId)) return;
    const detail = 'This is the last operator: make another one first';
    throw new TidingsError('not_allowed', { detail });
  }

  private async requireOperator({ actor }: ActsBy, sql?: Sql): Promise<void> {
    if (actor === null || (await this.roles.isOperator(actor, sql))) return;
    throw new TidingsError('forbidden');
  }

  private async find(whom: Whom, sql?: Sql): Promise<AdminRow> {
    const key = 'userId' in whom ? { id: whom.userId } : usernameOf(whom.username);
    const user = key && (await this.roles.find(key, sql));
    if (!user) throw new TidingsError('not_found');
    return user;
  }
}

function usernameOf(username: string): { usernameKey: string } | null {
  const usernameKey = nameKey(username);
  return usernameKey === null ? null : { usernameKey };
}

function toAdminUser(row: AdminRow): AdminUser {
  const { roles, disabledAt } = row;
  return {
    ...toUser(row),
    roles: roles satisfies Role[],
    ...(disabledAt && { disabledAt: disabledAt.toISOString() }),
  };
}
