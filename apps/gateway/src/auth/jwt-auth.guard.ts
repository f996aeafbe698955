import { Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { TidingsError } from '@tidings/protocol/errors';

const OPEN = 'tidings:open';

/** Marks an endpoint that needs no login. Everything else does. */
export const Open = () => SetMetadata(OPEN, true);

/** Whether an endpoint is marked {@link Open}. */
export function isOpen(context: ExecutionContext): boolean {
  const places = [context.getHandler(), context.getClass()];
  return places.some((place) => Reflect.getMetadata(OPEN, place) === true);
}

/** Lets a request in that carries a valid access token of a living login. */
@Injectable()
export class JwtAuthGuard extends AuthGuard('jwt') {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isOpen(context)) return true;
    return (await super.canActivate(context)) as boolean;
  }

  /** Errors keep their codes; an expired token is told from a wrong one. */
  override handleRequest<T>(error: unknown, principal: T | false, info: unknown): T {
    if (error) throw error;
    if (principal) return principal;
    const expired = info instanceof Error && info.name === 'TokenExpiredError';
    throw new TidingsError(expired ? 'token_expired' : 'unauthorized');
  }
}
