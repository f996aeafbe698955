import { z } from 'zod';
import { conversationId, uuid } from './ids';

/** Client → server: the user began to write, goes on (repeated), or stopped. Never answered. */
export const typingFrame = z.strictObject({
  type: z.literal('typing'),
  conversationId,
  active: z.boolean(),
});
export type TypingFrame = z.infer<typeof typingFrame>;

/** Server → client: another member writes, or stopped. Not kept, not repeated, may be lost. */
export const typingPushFrame = z.object({
  type: z.literal('typing'),
  conversationId,
  userId: uuid,
  active: z.boolean(),
});
export type TypingPushFrame = z.infer<typeof typingPushFrame>;

/** How long what is said about writing holds, in milliseconds. */
export const TYPING = {
  /** A client that goes on writing says so again after this time. */
  repeatMs: 3_000,
  /** A client that saw nothing typed for so long says that it is over. */
  idleMs: 5_000,
  /** A receiver that heard nothing for so long takes it for over. */
  shownMs: 6_000,
  /** What is older is not pushed any more. */
  staleMs: 10_000,
} as const;
