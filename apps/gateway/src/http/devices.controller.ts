import { Controller, Delete, Get, HttpCode, Ip, Param } from '@nestjs/common';
import type { DevicesAnswer } from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Caller, type Principal } from '../auth/principal';
import { LoginEnder } from '../auth/login-ender';
import { AccountNews } from '@tidings/common/redis/account-news';
import { DevicePresence } from '../directory/device-presence';
import { StorageClient } from '../service-clients';

@Controller('me/devices')
export class DevicesController {
  constructor(
    private readonly storage: StorageClient,
    private readonly presence: DevicePresence,
    private readonly ender: LoginEnder,
    private readonly news: AccountNews,
  ) {}

  @Get()
  async list(@Caller() { userId, deviceId }: Principal): Promise<DevicesAnswer> {
    const [{ items, failedLogins }, online] = await Promise.all([
      this.storage.call('devices.list', { userId }),
      this.presence.online(userId),
    ]);
    return {
      items: items.map((device) => ({
        ...device,
        current: device.id === deviceId,
        online: online.has(device.id),
      })),
      failedLogins,
    };
  }

  /** Throws `not_found` for a device that is not the caller's. */
  @HttpCode(204)
  @Delete(':id')
  async remove(
    @Caller() { userId, deviceId: by }: Principal,
    @Param('id', new ZodPipe(uuid)) deviceId: string,
    @Ip() address: string,
  ): Promise<void> {
    const ended = await this.storage.call('devices.remove', { userId, deviceId, by, address });
    await this.ender.end(userId, [ended], (id) => id === deviceId);
    this.news.tell(userId, ['devices'], by);
  }
}
