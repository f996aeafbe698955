import { DeviceLogins } from '@tidings/common/redis/logins';
import { Tickets } from '@tidings/common/redis/tickets';
import type { GatewayContext } from '../gateway.context';
import { HashCalls } from '../auth/hash-calls';
import { LoginGate } from '../auth/login-gate';

export type AuthParts = ReturnType<typeof makeAuth>;

/** Whose login lives, and who may open a socket. */
export function makeAuth({ env, backends, clock }: GatewayContext) {
  const { redis, storage } = backends;
  const logins = new DeviceLogins(redis);
  return {
    logins,
    tickets: new Tickets(redis, { ticketMs: env.TICKET_SECONDS * 1000 }),
    gate: new LoginGate(logins, storage, clock),
    hashCalls: new HashCalls(),
  };
}
