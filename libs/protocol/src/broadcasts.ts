import { z } from 'zod';
import { customContent, textContent } from './content';
import { uuid } from './ids';

/** `POST /v1/broadcasts`: a message to everybody. Nothing that was uploaded belongs to everybody. */
export const broadcastBody = z.strictObject({
  messageId: uuid,
  content: z.discriminatedUnion('kind', [textContent, customContent]),
});
export type BroadcastBody = z.infer<typeof broadcastBody>;

/**
 * A broadcast. `queued`: not in the log yet, or nobody knows. The audience are the accounts that can
 * be used and were there when it was written; `delivered`: those of them with a device that has
 * received it.
 */
export const broadcast = z.object({
  messageId: uuid,
  state: z.enum(['queued', 'sent', 'deleted']),
  audience: z.number().int().nonnegative(),
  delivered: z.number().int().nonnegative(),
  pending: z.number().int().nonnegative(),
});
export type Broadcast = z.infer<typeof broadcast>;
