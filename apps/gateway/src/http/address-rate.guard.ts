import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import type { Request } from 'express';
import { SigningKeys, signedDevice } from '../auth/access-tokens';
import { isOpen } from '../auth/jwt-auth.guard';
import { AddressLimits, AddressWindows } from '../rates/address-windows';
import { SharedAddresses } from '../rates/shared-addresses';
import { rateLimited } from '../rates/user-rates';
import { RefusalPace } from './refusal-pace';

const AUTH_RATE = 'tidings:auth-rate';

/** Marks an endpoint where passwords could be guessed: its own, lower rate. */
export const AuthRate = () => SetMetadata(AUTH_RATE, true);

/** Whether an endpoint's handler is marked {@link AuthRate}. */
export function hasAuthRate(handler: object): boolean {
  return Reflect.getMetadata(AUTH_RATE, handler) === true;
}

/**
 * Refuses who guesses too often: a device whose token we have signed, whatever its address, for many may
 * stand behind one; else the address, unless that is known to be shared. That a request counts at all,
 * whatever it asks for, is `RequestCount`'s.
 */
@Injectable()
export class AddressRateGuard implements CanActivate {
  constructor(
    private readonly limits: AddressLimits,
    private readonly windows: AddressWindows,
    private readonly keys: SigningKeys,
    private readonly shared: SharedAddresses,
    private readonly refusals: RefusalPace,
  ) {}

  /** Throws `rate_limited`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { auth } = this.limits;
    if (auth === 0 || !hasAuthRate(context.getHandler())) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const device = isOpen(context) ? null : signedDevice(this.keys, request.headers.authorization);
    if (device === null && this.shared.has(request.ip)) return true;
    const network = clientNetwork(request.ip);
    const { hits, leftMs } =
      device === null
        ? await this.windows.ofAddress('auth', network, auth)
        : this.windows.ofDevice('auth', device);
    if (hits <= auth) return true;
    this.windows.refused('auth');
    await this.refusals.turn(device ?? network, request);
    throw rateLimited(Math.ceil(leftMs / 1000) * 1000);
  }
}
