import { Injectable } from '@nestjs/common';
import type { Hits } from '@tidings/common/redis/address-hits';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import { sendProblem } from '@tidings/common/runtime/problem.filter';
import type { NextFunction, Request, Response } from 'express';
import { SigningKeys, signedDevice } from '../auth/access-tokens';
import { AddressLimits, AddressWindows, type AddressRateName } from '../rates/address-windows';
import { SharedAddresses } from '../rates/shared-addresses';
import { rateLimited } from '../rates/user-rates';
import { RefusalPace } from './refusal-pace';

/** Its body proves who calls. */
const REFRESH = /^\/v1\/auth\/refresh\/?$/i;
/** The window in which refreshes that failed are counted. */
const FAILED = 'failed';
/** A browser asks once per call that a page on another origin makes, and has no token for it: many stand behind one address. */
const PREFLIGHTS_PER_CALL = 10;

/** What a request counts for, and how often that came already, itself included. */
interface Count extends Hits {
  rate: AddressRateName;
  limit: number;
}

/**
 * Counts whatever asks, before it is read: what no endpoint takes and a body that is no JSON cost nearly as
 * much as a call. A request with a token that we have signed counts for its device, for many may stand behind
 * one address; else for the address, unless that is known to be shared. Of refreshes only those that fail
 * count, and preflights apart from the rest, so that a crowd behind one address does not lock itself out.
 */
@Injectable()
export class RequestCount {
  constructor(
    private readonly limits: AddressLimits,
    private readonly windows: AddressWindows,
    private readonly keys: SigningKeys,
    private readonly shared: SharedAddresses,
    private readonly refusals: RefusalPace,
  ) {}

  /** Lets a request of an address on, or answers it `rate_limited`. */
  async judge(
    address: string | undefined,
    request: Request & { id?: string },
    response: Response,
    next: NextFunction,
  ): Promise<void> {
    const refresh = request.method === 'POST' && REFRESH.test(request.path);
    const preflight = request.method === 'OPTIONS';
    const device =
      refresh || preflight ? null : signedDevice(this.keys, request.headers.authorization);
    if (device === null && this.shared.has(address)) return next();
    const network = clientNetwork(address);
    const count = refresh
      ? await this.failures(network)
      : preflight
        ? this.preflights(network)
        : await this.requests(network, device);
    if (count.limit === 0 || count.hits <= count.limit) {
      if (refresh && count.limit > 0) this.countFailure(network, response);
      return next();
    }
    this.windows.refused(count.rate);
    await this.refusals.turn(device ?? network, request);
    const retryAfterMs = Math.ceil(count.leftMs / 1000) * 1000;
    sendProblem(response, rateLimited(retryAfterMs), request.id ?? '');
  }

  private async requests(network: string, device: string | null): Promise<Count> {
    const limit = this.limits.request;
    const hits =
      device === null
        ? await this.windows.ofAddress('request', network, limit)
        : this.windows.ofDevice('request', device);
    return { rate: 'request', limit, ...hits };
  }

  /** By this gateway alone: a question to Redis would cost more than the answer. */
  private preflights(network: string): Count {
    const limit = this.limits.request * PREFLIGHTS_PER_CALL;
    return { rate: 'request', limit, ...this.windows.ofAddressHere('preflight', network) };
  }

  /** What has failed, and this one as if it did. */
  private async failures(network: string): Promise<Count> {
    const limit = this.limits.auth;
    const { hits, leftMs } = await this.windows.ofAddress(FAILED, network, limit, 0);
    return { rate: 'auth', limit, hits: hits + 1, leftMs };
  }

  private countFailure(network: string, response: Response): void {
    response.once('finish', () => {
      const { statusCode } = response;
      if (statusCode < 400 || statusCode >= 500) return;
      void this.windows.ofAddress(FAILED, network, this.limits.auth);
    });
  }
}
