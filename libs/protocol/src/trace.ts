import { z } from 'zod';
import { uuid } from './ids';
import { LIMITS } from './limits';
import { position } from './positions';

/** Query of `GET …/messages/:messageId/trace`: which part of its receivers. */
export const traceQuery = z.strictObject({
  cursor: z.string().min(1).max(256).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).optional(),
});
export type TraceQuery = z.output<typeof traceQuery>;

/**
 * A receiver whose mark has passed the message, and when it rose last: the message was passed then
 * or before. Null: not known.
 */
const traceMark = z.object({ userId: uuid, at: z.string().nullable() });
export type TraceMark = z.infer<typeof traceMark>;

const receivers = {
  /** The other present members who see the message. */
  recipients: z.number().int(),
  /** Those of this part who have received it, by user id. */
  delivered: z.array(traceMark),
  /** Those of this part who have read it, as far as both sides show what they read. */
  read: z.array(traceMark),
  /** More receivers follow. */
  cursor: z.string().optional(),
};

/** What storage knows of a message's way; null: it does not know that time. */
export const storedTrace = z.object({
  position,
  /** The gateway took it. */
  accepted: z.string(),
  /** The transaction began that wrote it into the history. */
  stored: z.string().nullable(),
  /** Its life was over; null: it is not. */
  expired: z.string().nullable(),
  ...receivers,
});
export type StoredTrace = z.infer<typeof storedTrace>;

/** The way of a message: ISO times from the clocks of those who did it; null: not (or not any more) known. */
export interface Trace extends StoredTrace {
  conversationId: string;
  messageId: string;
  /** The broker appended it to the log. */
  logged: string | null;
  /** Session had handed it to the gateways of all receivers who were connected. */
  routed: string | null;
}
