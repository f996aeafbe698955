import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { LoginGrant } from './access-tokens';

/** Who makes a request, as its access token says. */
export interface Principal {
  userId: string;
  deviceId: string;
  /** Generation of the device's login. */
  generation: number;
}

/** The caller of a guarded endpoint. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  return context.switchToHttp().getRequest<{ user: Principal }>().user;
});

/** What the login strategy found. */
export const Granted = createParamDecorator((_: unknown, context: ExecutionContext): LoginGrant => {
  return context.switchToHttp().getRequest<{ user: LoginGrant }>().user;
});
