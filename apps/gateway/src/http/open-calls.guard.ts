import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { Response } from 'express';
import type { Principal } from '../auth/principal';
import type { BoundReason } from './slow-clients';

/** Calls of one user that may be under way at a gateway: each holds an answer until it is taken. */
export const OPEN_CALLS_PER_USER = 100;
const RETRY_MS = 1_000;

/** Refuses further calls of a user who does not take the answers of those under way. */
export class OpenCallsGuard implements CanActivate {
  private readonly open = new Map<string, number>();

  /** `refused`: takes each refusal. */
  constructor(private readonly refused: (reason: BoundReason) => void = () => undefined) {}

  /** Counts the call until its answer is taken or its connection has ended. Throws `busy`. */
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const userId = http.getRequest<{ user?: Partial<Principal> }>().user?.userId;
    if (userId === undefined) return true;
    const running = this.open.get(userId) ?? 0;
    if (running >= OPEN_CALLS_PER_USER) {
      this.refused('too_many_calls');
      const detail = `At most ${OPEN_CALLS_PER_USER} calls at a time`;
      throw new TidingsError('busy', { detail, retryAfterMs: RETRY_MS });
    }
    this.open.set(userId, running + 1);
    http.getResponse<Response>().once('close', () => this.close(userId));
    return true;
  }

  private close(userId: string): void {
    const left = (this.open.get(userId) ?? 1) - 1;
    if (left > 0) this.open.set(userId, left);
    else this.open.delete(userId);
  }
}
