import { z } from 'zod';
import { line, user } from './http';
import { uuid } from './ids';
import { LIMITS } from './limits';

/**
 * What an account may do besides chatting. `operator`: everything under `/v1/admin`. `broadcaster`:
 * write to everybody.
 */
export const role = z.enum(['operator', 'broadcaster']);
export type Role = z.infer<typeof role>;

/**
 * An account as operators see it. `disabledAt`: when it was disabled; absent while it can be used.
 */
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

/** `POST /v1/admin/users/:id/disable`. The reason goes into the audit log and nowhere else. */
export const disableBody = z.strictObject({ reason: line(LIMITS.titleBytes).optional() });

/** `POST /v1/admin/users/:id/end`. Without a device: all devices. */
export const endBody = z.strictObject({ deviceId: uuid.optional() });

/** The leader of a service: the one instance that does what only one may do. */
const leader = z.object({
  service: z.string(),
  node: z.string(),
  bootId: uuid,
  /** Rises by one with every new leader of the service. */
  term: z.string(),
  since: z.string(),
});

const lag = z.object({ records: z.number(), seconds: z.number().nullable() });

/** `GET /v1/cluster`. */
export const cluster = z.object({
  /** `electing`: storage has no live leader. `joining`: no instance of storage is ready. */
  phase: z.enum(['normal', 'electing', 'joining']),
  leaders: z.array(leader),
  /**
   * Instances of session, presence and storage, as they announce themselves. Empty while Redis is
   * down.
   */
  nodes: z.array(
    z.object({
      id: z.string(),
      service: z.string(),
      bootId: z.string(),
      version: z.string(),
      state: z.enum(['joining', 'ready', 'draining']),
    }),
  ),
  /** The lag of each consumer group, as its members report it. */
  lag: z.record(z.string(), lag),
  /** Gateways that shed something, see {@link LANES}; none while Redis is away. */
  shedding: z.array(
    z.object({
      gateway: z.string(),
      lanes: z.array(z.string()),
      /** Messages are answered `busy`, too. */
      text: z.boolean(),
    }),
  ),
});
export type Cluster = z.infer<typeof cluster>;

/**
 * Whether a call, named as in `CALL_RATES`, is for operators. The public listener does not serve
 * those.
 */
export function isAdminCall(call: string): boolean {
  return isAdminPath(call.slice(call.indexOf(' ') + 1));
}

/** The same for the path of a request, in any spelling. */
export function isAdminPath(path: string): boolean {
  return /^\/+v1\/+(?:admin|cluster)(?:\/|$)/i.test(path);
}
