import { z } from 'zod';
import { presence } from './http';
import { uuid } from './ids';
import { LIMITS } from './limits';

/** Whether the app is what its user looks at. */
const deviceMode = z.enum(['front', 'background']);
export type DeviceMode = z.infer<typeof deviceMode>;

/** Client → server: the user did something, or the app works by itself. Never answered. */
export const activityFrame = z.strictObject({
  type: z.literal('activity'),
  kind: z.enum(['user', 'app']),
});
export type ActivityFrame = z.infer<typeof activityFrame>;

/** Client → server: the app came to the front, or left it. Never answered. */
export const stateFrame = z.strictObject({ type: z.literal('state'), mode: deviceMode });
export type StateFrame = z.infer<typeof stateFrame>;

/** Client → server: whose presence this socket shows from now on, instead of whom it named before. */
export const watchFrame = z.strictObject({
  type: z.literal('watch'),
  ref: z.string().min(1).max(LIMITS.refChars).optional(),
  userIds: z.array(uuid).max(LIMITS.watch),
});
export type WatchFrame = z.infer<typeof watchFrame>;

/**
 * Server → client: what a watched user's presence is. Of two about one user the higher `version`
 * counts. Whom one may not see is `offline` and was never seen.
 */
export const presencePushFrame = presence.extend({ type: z.literal('presence') });
