import { z } from 'zod';
import { conversationId, uuid } from './ids';

/** Client → server: the user started typing, goes on (repeated), or stopped. Never answered. */
export const typingFrame = z.strictObject({
  type: z.literal('typing'),
  conversationId,
  active: z.boolean(),
});
export type TypingFrame = z.infer<typeof typingFrame>;

/** Server → client: another member is typing, or stopped. Not stored, not repeated; may be lost. */
export const typingPushFrame = z.object({
  type: z.literal('typing'),
  conversationId,
  userId: uuid,
  active: z.boolean(),
});
export type TypingPushFrame = z.infer<typeof typingPushFrame>;

/** How long a typing state holds, in milliseconds. */
export const TYPING = {
  /** A client whose user goes on typing repeats the frame after this time. */
  repeatMs: 3_000,
  /** A client whose user has typed nothing for this time reports that they stopped. */
  idleMs: 5_000,
  /** A receiver that has heard nothing for this time takes the typing as ended. */
  shownMs: 6_000,
  /** Anything older is not pushed any more. */
  staleMs: 10_000,
} as const;
