import { z } from 'zod';
import { line, user } from './http';
import { uuid } from './ids';
import { LIMITS } from './limits';

/**
 * What an account may do beside chatting. `operator`: everything under `/v1/admin`; `broadcaster`:
 * write to everybody.
 */
export const role = z.enum(['operator', 'broadcaster']);
export type Role = z.infer<typeof role>;

/** An account as operators see it. `disabledAt`: since when it cannot be used; left out: it can. */
export const adminUser = user.extend({
  roles: z.array(role),
  disabledAt: z.string().optional(),
});
export type AdminUser = z.infer<typeof adminUser>;

/** A device that is logged in, as operators see it. */
export const adminSession = z.object({
  id: uuid,
  name: z.string().optional(),
  createdAt: z.string(),
  lastSeenAt: z.string(),
});
export type AdminSession = z.infer<typeof adminSession>;

/** `POST /v1/admin/users/:id/disable`; the reason is for the audit, and told to nobody else. */
export const disableBody = z.strictObject({ reason: line(LIMITS.titleBytes).optional() });

/** `POST /v1/admin/users/:id/end`; without a device all of them. */
export const endBody = z.strictObject({ deviceId: uuid.optional() });

/** Who leads a service: what only one instance may do, it does. */
const leader = z.object({
  service: z.string(),
  node: z.string(),
  bootId: uuid,
  /** Counts the leaders of the service. */
  term: z.string(),
  since: z.string(),
});

const lag = z.object({ records: z.number(), seconds: z.number().nullable() });

/** `GET /v1/cluster`. */
export const cluster = z.object({
  /** `electing`: storage has no leader that lives; `joining`: no instance of it is ready. */
  phase: z.enum(['normal', 'electing', 'joining']),
  leaders: z.array(leader),
  /** Session, presence and storage as they announce themselves; empty while Redis is away. */
  nodes: z.array(
    z.object({
      id: z.string(),
      service: z.string(),
      bootId: z.string(),
      version: z.string(),
      state: z.enum(['joining', 'ready', 'draining']),
    }),
  ),
  /** How far each consumer group is behind the log, as its members say. */
  lag: z.record(z.string(), lag),
});
export type Cluster = z.infer<typeof cluster>;

/** Whether a call, as `CALL_RATES` names it, is one of operators: the public listener does not have it. */
export function isAdminCall(call: string): boolean {
  return isAdminPath(call.slice(call.indexOf(' ') + 1));
}

/** The same of the path of a request, however it is written. */
export function isAdminPath(path: string): boolean {
  return /^\/+v1\/+(?:admin|cluster)(?:\/|$)/i.test(path);
}
