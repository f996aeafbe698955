import { z } from 'zod';
import { presence } from './http';
import { uuid } from './ids';
import { LIMITS } from './limits';

/** Whether the user has the app in front of them. */
const deviceMode = z.enum(['front', 'background']);
export type DeviceMode = z.infer<typeof deviceMode>;

/** Client → server: the user did something, or the app acts on its own. Never answered. */
export const activityFrame = z.strictObject({
  type: z.literal('activity'),
  kind: z.enum(['user', 'app']),
});
export type ActivityFrame = z.infer<typeof activityFrame>;

/** Client → server: the app came to the foreground, or left it. Never answered. */
export const stateFrame = z.strictObject({ type: z.literal('state'), mode: deviceMode });
export type StateFrame = z.infer<typeof stateFrame>;

/**
 * Client → server: the users whose presence this socket shows from now on. Replaces the previous
 * list.
 */
export const watchFrame = z.strictObject({
  type: z.literal('watch'),
  ref: z.string().min(1).max(LIMITS.refChars).optional(),
  userIds: z.array(uuid).max(LIMITS.watch),
});
export type WatchFrame = z.infer<typeof watchFrame>;

/**
 * Server → client: the presence of a watched user. Of two frames about a user the one with the
 * higher `version` counts. A user whose presence is hidden appears as `offline` and never seen.
 */
export const presencePushFrame = presence.extend({ type: z.literal('presence') });
