import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { Request } from 'express';
import { loginBody } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Strategy } from 'passport-local';
import { StorageClient } from '../service-clients';
import type { LoginGrant } from './access-tokens';
import { HashCalls } from './hash-calls';

/** Hashing a password takes its time, and waits for its turn; milliseconds. */
const LOGIN_TIMEOUT_MS = 10_000;
const BODY = new ZodPipe(loginBody);

/** Log-in by user name and password (passport-local); storage judges them. */
@Injectable()
export class LocalStrategy extends PassportStrategy(Strategy, 'local') {
  constructor(
    private readonly storage: StorageClient,
    private readonly calls: HashCalls,
  ) {
    super({ passReqToCallback: true });
  }

  /** Throws storage's codes: `bad_credentials`, `logged_in_elsewhere`, `busy`, `unavailable`. */
  validate(request: Request): Promise<LoginGrant> {
    const from = { address: request.ip, guessId: randomUUID() };
    const input = { ...BODY.transform(request.body), ...from };
    return this.calls.take(request.ip, input.username.toLowerCase(), () =>
      this.storage.call('accounts.login', input, { timeoutMs: LOGIN_TIMEOUT_MS }),
    );
  }
}
