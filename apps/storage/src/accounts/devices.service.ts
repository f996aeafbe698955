import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { DeviceLogin, RpcInput, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { DevicesRepository, type DeviceRow } from './devices.repository';
import { LoginAnnouncer } from './login-announcer';
import { LoginsRepository } from './logins.repository';

type Rpc = typeof STORAGE_RPC;
type KnownDevice = RpcOutput<Rpc, 'devices.list'>['items'][number];

/** Shows a user's devices, and logs them out one by one. */
@Injectable()
export class DevicesService {
  constructor(
    private readonly devices: DevicesRepository,
    private readonly logins: LoginsRepository,
    private readonly announcer: LoginAnnouncer,
    private readonly security: SecurityLog,
  ) {}

  /** With the wrong passwords that were tried lately, if any. */
  async list(userId: string): Promise<RpcOutput<Rpc, 'devices.list'>> {
    const [devices, failed] = await Promise.all([
      this.devices.loggedIn(userId),
      this.devices.failedLogins(userId),
    ]);
    const items = devices.map(toSession);
    if (!failed) return { items };
    return { items, failedLogins: { count: failed.count, lastAt: failed.lastAt.toISOString() } };
  }

  /**
   * Logs a device out; one that is logged out already stays so. Throws `not_found` when the user has
   * no such device.
   */
  async remove(input: RpcInput<Rpc, 'devices.remove'>): Promise<DeviceLogin> {
    const { userId, deviceId, by, address } = input;
    const ended = await this.logins.transaction((sql) => this.logins.end(sql, userId, deviceId));
    if (!ended) throw new TidingsError('not_found');
    this.security.note('device_removed', { userId, deviceId, by, address });
    await this.announcer.announce([ended]);
    return ended;
  }
}

/** A device as it is shown. */
export function toSession({ id, name, createdAt, lastSeen }: DeviceRow): KnownDevice {
  return {
    id,
    ...(name !== null && { name }),
    createdAt: createdAt.toISOString(),
    lastSeenAt: lastSeen.toISOString(),
  };
}
