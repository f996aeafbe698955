import { Inject, Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import {
  ThrottlerGuard,
  type ThrottlerModuleOptions,
  type ThrottlerOptions,
  type ThrottlerStorage,
} from '@nestjs/throttler';
import { TidingsError } from '@tidings/protocol/errors';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import type { Request } from 'express';
import { LRUCache } from 'lru-cache';
import { RefusalPace } from './refusal-pace';
import { SharedAddresses } from './shared-addresses';

const AUTH_RATE = 'tidings:auth-rate';
const MINUTE_MS = 60_000;
const MOST_ADDRESSES = 100_000;

/** Marks an endpoint where passwords or refresh tokens could be guessed: its own, lower rate. */
export const AuthRate = () => SetMetadata(AUTH_RATE, true);

/** Whether an endpoint's handler is marked {@link AuthRate}. */
export function hasAuthRate(handler: object): boolean {
  return Reflect.getMetadata(AUTH_RATE, handler) === true;
}

interface Window {
  hits: number;
  endsAt: number;
}

/**
 * Requests per address in windows of a minute. Bounded, and without a timer per request as the
 * throttler's own storage has it.
 */
class AddressHits implements ThrottlerStorage {
  private readonly windows = new LRUCache<string, Window>({ max: MOST_ADDRESSES });

  constructor(private readonly clock: () => number = () => performance.now()) {}

  increment(key: string, ttl: number, limit: number) {
    const now = this.clock();
    let window = this.windows.get(key);
    if (!window || window.endsAt <= now) {
      window = { hits: 0, endsAt: now + ttl };
      this.windows.set(key, window);
    }
    window.hits += 1;
    const seconds = Math.ceil((window.endsAt - now) / 1000);
    return Promise.resolve({
      totalHits: window.hits,
      timeToExpire: seconds,
      isBlocked: window.hits > limit,
      timeToBlockExpire: seconds,
    });
  }
}

/** The rates of the HTTP interface, per minute and address; 0 switches one off. */
export function addressRates(rates: { http: number; auth: number }): ThrottlerModuleOptions {
  const rate = (name: string, limit: number, applies: (c: ExecutionContext) => boolean) =>
    ({
      name,
      ttl: MINUTE_MS,
      limit,
      skipIf: (context) => limit === 0 || !applies(context),
    }) satisfies ThrottlerOptions;
  return {
    throttlers: [
      rate('http', rates.http, () => true),
      rate('auth', rates.auth, (c) => hasAuthRate(c.getHandler())),
    ],
    storage: new AddressHits(),
    generateKey: (_context, address, name) => `${name} ${address}`,
    setHeaders: false,
  };
}

/** Refuses addresses that ask too often, unless many clients stand behind one. */
@Injectable()
export class AddressRateGuard extends ThrottlerGuard {
  @Inject(SharedAddresses) private readonly shared!: SharedAddresses;
  @Inject(RefusalPace) private readonly refusals!: RefusalPace;

  protected override shouldSkip(context: ExecutionContext): Promise<boolean> {
    return Promise.resolve(this.shared.has(context.switchToHttp().getRequest<Request>().ip));
  }

  protected override getTracker({ ip }: { ip?: string }): Promise<string> {
    return Promise.resolve(clientNetwork(ip));
  }

  protected override async throwThrottlingException(
    context: ExecutionContext,
    detail: { timeToBlockExpire: number },
  ): Promise<void> {
    const { ip } = context.switchToHttp().getRequest<Request>();
    await this.refusals.turn(clientNetwork(ip), context);
    throw new TidingsError('rate_limited', { retryAfterMs: detail.timeToBlockExpire * 1000 });
  }
}
