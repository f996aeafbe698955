import { DeviceSessions } from '@tidings/common/redis/sessions';
import { Tickets } from '@tidings/common/redis/tickets';
import type { GatewayContext } from '../gateway.context';
import { HashCalls } from '../auth/hash-calls';
import { SessionGate } from '../auth/session-gate';

export type AuthParts = ReturnType<typeof makeAuth>;

/** Whose login lives, and who may open a socket. */
export function makeAuth({ env, backends, clock }: GatewayContext) {
  const { redis, storage } = backends;
  const sessions = new DeviceSessions(redis);
  return {
    sessions,
    tickets: new Tickets(redis, { ticketMs: env.TICKET_SECONDS * 1000 }),
    gate: new SessionGate(sessions, storage, clock),
    hashCalls: new HashCalls(),
  };
}
