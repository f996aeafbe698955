import { z } from 'zod';
import { uuid } from './ids';
import { LIMITS } from './limits';
import { position } from './positions';

/** Query of `GET …/messages/:messageId/trace`: which page of the receivers. */
export const traceQuery = z.strictObject({
  cursor: z.string().min(1).max(256).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.pageItems).optional(),
});
export type TraceQuery = z.output<typeof traceQuery>;

/**
 * A receiver whose mark has passed the message, and when the mark rose last: the message was passed
 * at that time or earlier. Null: unknown.
 */
const traceMark = z.object({ userId: uuid, at: z.string().nullable() });
export type TraceMark = z.infer<typeof traceMark>;

const receivers = {
  /** How many other present members see the message. */
  recipients: z.number().int(),
  /** Those on this page who have received it, by user id. */
  delivered: z.array(traceMark),
  /** Those on this page who have read it, as far as both sides show what they read. */
  read: z.array(traceMark),
  /** More receivers follow. */
  cursor: z.string().optional(),
};

/** What storage knows about a message's path. Null: that time is unknown. */
export const storedTrace = z.object({
  position,
  /** When the gateway accepted it. */
  accepted: z.string(),
  /** When the transaction that wrote it into the history began. */
  stored: z.string().nullable(),
  /** When it expired; null: it has not. */
  expired: z.string().nullable(),
  /**
   * When it was set aside because nobody could store it: it is in the log, and missing everywhere else until
   * an operator repeats it; its `position` is "0". Null: it was not.
   */
  setAside: z.string().nullable().default(null),
  ...receivers,
});
export type StoredTrace = z.infer<typeof storedTrace>;

/**
 * The path of a message: ISO times from the clocks of the services involved. Null: unknown, or not
 * known any more.
 */
export interface Trace extends StoredTrace {
  conversationId: string;
  messageId: string;
  /** When the broker appended it to the log. */
  logged: string | null;
  /** When session had handed it to the gateways of all connected receivers. */
  routed: string | null;
}
