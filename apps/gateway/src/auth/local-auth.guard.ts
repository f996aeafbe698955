import { Injectable, type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { Request } from 'express';
import { TidingsError } from '@tidings/protocol/errors';
import { loginBody } from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';

const BODY = new ZodPipe(loginBody);

/** Lets a request in whose body holds a right user name and password. */
@Injectable()
export class LocalAuthGuard extends AuthGuard('local') {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const body = BODY.transform(context.switchToHttp().getRequest<Request>().body);
    // For an empty field passport-local would go on to look into the query string.
    if (body.username === '' || body.password === '') throw new TidingsError('bad_credentials');
    return (await super.canActivate(context)) as boolean;
  }

  /** Errors keep their codes. */
  override handleRequest<T>(error: unknown, grant: T | false): T {
    if (error) throw error;
    if (!grant) throw new TidingsError('bad_credentials');
    return grant;
  }
}
