import { randomUUID } from 'node:crypto';
import { Body, Controller, HttpCode, Ip, Post } from '@nestjs/common';
import { passwordBody, type PasswordBody } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { HashCalls } from '../auth/hash-calls';
import { Caller, type Principal } from '../auth/principal';
import { LoginEnder } from '../auth/login-ender';
import { StorageClient } from '../service-clients';
import { AuthRate } from './address-rate.guard';

/** Hashing two passwords takes its time, and waits for its turn; milliseconds. */
const PASSWORD_TIMEOUT_MS = 10_000;

@Controller('me/password')
export class PasswordController {
  constructor(
    private readonly storage: StorageClient,
    private readonly ender: LoginEnder,
    private readonly calls: HashCalls,
  ) {}

  /** Only the calling device stays logged in. */
  @AuthRate()
  @HttpCode(204)
  @Post()
  async change(
    @Caller() { userId, deviceId, generation }: Principal,
    @Body(new ZodPipe(passwordBody)) body: PasswordBody,
    @Ip() address: string,
  ): Promise<void> {
    const guess = { address, guessId: randomUUID() };
    const input = { userId, deviceId, generation, ...body, ...guess };
    const options = { timeoutMs: PASSWORD_TIMEOUT_MS };
    const { ended } = await this.calls.take(address, userId, () =>
      this.storage.call('accounts.password', input, options),
    );
    await this.ender.end(userId, ended, (id) => id !== deviceId);
  }
}
