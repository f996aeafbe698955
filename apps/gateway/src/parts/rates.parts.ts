import { AddressHits } from '@tidings/common/redis/address-hits';
import { RateBuckets } from '@tidings/common/redis/rate-buckets';
import { countRepeats } from '@tidings/common/runtime/repeats';
import type { GatewayContext } from '../gateway.context';
import { AddressWindows } from '../rates/address-windows';
import { Admission } from '../rates/admission';
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

/** How fast clients may connect. */
export function makeAdmission({ env, loopDelay, metrics, clock }: GatewayContext): Admission {
  return new Admission({
    perSecond: env.CONNECT_RATE_PER_SECOND,
    burst: env.CONNECT_BURST,
    maxWaitMs: env.BACKOFF_MAX_MS,
    loopDelayMs: () => loopDelay.p99Ms,
    refused: () => metrics.bounded.inc({ reason: 'admission' }),
    random: Math.random,
    clock,
  });
}

/** What comes from each address. */
export function makeAddressWindows(context: GatewayContext): AddressWindows {
  const { backends, metrics, logger, clock } = context;
  const repeats = countRepeats(clock);
  return new AddressWindows({
    refused: (rate) => {
      metrics.rateLimited.inc({ rate });
      const repeated = repeats(rate);
      if (repeated !== null) logger.warn({ rate, repeated }, 'an address asks too often');
    },
    shared: new AddressHits(backends.redis),
    alone: () => metrics.ratesAlone.inc(),
    clock,
  });
}
