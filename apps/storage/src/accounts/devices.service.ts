import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { DeviceSession, RpcInput, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { DevicesRepository, type DeviceRow } from './devices.repository';
import { SessionAnnouncer } from './session-announcer';
import { SessionsRepository } from './sessions.repository';

type Rpc = typeof STORAGE_RPC;
type KnownDevice = RpcOutput<Rpc, 'devices.list'>['items'][number];

/** Shows a user's devices, and logs them out one by one. */
@Injectable()
export class DevicesService {
  constructor(
    private readonly devices: DevicesRepository,
    private readonly sessions: SessionsRepository,
    private readonly announcer: SessionAnnouncer,
    private readonly security: SecurityLog,
  ) {}

  /** With the wrong passwords that were tried lately, if any. */
  async list(userId: string): Promise<RpcOutput<Rpc, 'devices.list'>> {
    const [devices, failed] = await Promise.all([
      this.devices.loggedIn(userId),
      this.devices.failedLogins(userId),
    ]);
    const items = devices.map(toDevice);
    if (!failed) return { items };
    return { items, failedLogins: { count: failed.count, lastAt: failed.lastAt.toISOString() } };
  }

  /**
   * Logs a device out; one that is logged out already stays so. Throws `not_found` when the user has
   * no such device.
   */
  async remove(input: RpcInput<Rpc, 'devices.remove'>): Promise<DeviceSession> {
    const { userId, deviceId, by, address } = input;
    const ended = await this.sessions.transaction((sql) =>
      this.sessions.end(sql, userId, deviceId),
    );
    if (!ended) throw new TidingsError('not_found');
    this.security.note('device_removed', { userId, deviceId, by, address });
    await this.announcer.announce([ended]);
    return ended;
  }
}

function toDevice({ id, name, createdAt, lastSeen }: DeviceRow): KnownDevice {
  return {
    id,
    ...(name !== null && { name }),
    createdAt: createdAt.toISOString(),
    lastSeenAt: lastSeen.toISOString(),
  };
}
