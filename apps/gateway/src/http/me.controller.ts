import { Controller, Get } from '@nestjs/common';
import type { Me } from '@tidings/common/contracts/http';
import { Caller, type Principal } from '../auth/principal';
import { StorageClient } from '../service-clients';

@Controller('me')
export class MeController {
  constructor(private readonly storage: StorageClient) {}

  @Get()
  get(@Caller() { userId }: Principal): Promise<Me> {
    return this.storage.call('accounts.me', { userId });
  }
}
