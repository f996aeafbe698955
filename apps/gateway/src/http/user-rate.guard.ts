import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { isEmailSearch } from '@tidings/protocol/http';
import {
  CALL_RATES,
  LIMITS,
  RATES,
  type RateName,
  type UserRateName,
} from '@tidings/protocol/limits';
import type { Request } from 'express';
import type { Principal } from '../auth/principal';
import { RefusalPace } from './refusal-pace';
import { UserRates } from '../rates/user-rates';

/** A call as {@link CALL_RATES} names it. */
function callOf({ method, route }: Pick<Request, 'method' | 'route'>): string {
  const { path } = route as { path: string };
  return `${method === 'HEAD' ? 'GET' : method} ${path}`;
}

/** What a call takes from the rates of users and devices. Throws for a call that is not in the table. */
export function costsOf(
  call: string,
  body: unknown,
  query: { query?: unknown } = {},
): [UserRateName, number][] {
  if (!Object.hasOwn(CALL_RATES, call)) throw new Error(`${call} counts for no rate`);
  const names: readonly RateName[] = CALL_RATES[call as keyof typeof CALL_RATES];
  return (
    names
      .filter(isUserRate)
      // taken by the upload itself, when it knows how many
      .filter((name) => name !== 'pixels')
      .filter((name) => name !== 'findByEmail' || isEmailSearch(query.query))
      .map((name) => [name, name === 'invite' ? peopleIn(body) : 1])
  );
}

function isUserRate(name: RateName): name is UserRateName {
  const { per } = RATES[name];
  return per === 'user' || per === 'device';
}

/** The body is judged later: whatever is no list of people counts as one. */
function peopleIn(body: unknown): number {
  const userIds = (body as { userIds?: unknown } | null | undefined)?.userIds;
  const count = Array.isArray(userIds) ? userIds.length : 1;
  return Math.min(Math.max(count, 1), LIMITS.groupMembers);
}

/** Refuses what a user or a device asks for too often. Stands behind the check of the token. */
@Injectable()
export class UserRateGuard implements CanActivate {
  constructor(
    private readonly rates: UserRates,
    private readonly refusals: RefusalPace,
  ) {}

  /** Throws `rate_limited`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request & { user?: Principal }>();
    const costs = costsOf(callOf(request), request.body, request.query);
    if (!request.user) return true;
    try {
      await this.rates.require(request.user, costs);
    } catch (error) {
      await this.refusals.turn(request.user.userId, request);
      throw error;
    }
    return true;
  }
}
