import { RateBuckets } from '@tidings/common/redis/rate-buckets';
import type { GatewayContext } from '../gateway.context';
import { UserRates } from '../rates/user-rates';

/** The rates of users and devices. */
export function makeRates({ env, backends, metrics, clock }: GatewayContext): UserRates {
  return new UserRates({
    buckets: new RateBuckets(backends.redis),
    rates: env.RATE_LIMITS,
    refused: (rate) => metrics.rateLimited.inc({ rate }),
    alone: () => metrics.ratesAlone.inc(),
    clock,
  });
}
