import { z } from 'zod';
import type { ErrorCode } from './errors';
import { uuid } from './ids';
import { isPlainJson } from './json';
import { LIMITS } from './limits';
import { fitsBytes } from './text';

/**
 * What a message may carry besides its content: the same fields in the `send` frame, the record and
 * `Message`. `meta` is opaque JSON, checked separately ({@link extrasProblem}).
 */
export const extrasShape = {
  /** Id of the message that this one replies to. */
  replyTo: uuid.optional(),
  mentions: z.array(uuid).max(LIMITS.mentions).optional(),
  meta: z.unknown().optional(),
};

/** See {@link extrasShape}. */
export interface Extras {
  replyTo?: string | undefined;
  mentions?: string[] | undefined;
  meta?: unknown;
}

/** Only the extras; null when there are none, as with nearly every message. */
export function extrasOf({ replyTo, mentions, meta }: Extras): Extras | null {
  if (replyTo === undefined && mentions === undefined && meta === undefined) return null;
  return {
    ...(replyTo !== undefined && { replyTo }),
    ...(mentions !== undefined && { mentions }),
    ...(meta !== undefined && { meta }),
  };
}

/** What is wrong with well-formed extras, as an error code; null when they may be sent. */
export function extrasProblem({ meta }: Extras): ErrorCode | null {
  if (meta === undefined) return null;
  if (!isPlainJson(meta, LIMITS.jsonDepth)) return 'invalid_request';
  return fitsBytes(JSON.stringify(meta), LIMITS.metaBytes) ? null : 'payload_too_large';
}

/** Extras as further fields of a JSON object whose first fields are already written. */
export function extrasFields(extras: Extras): string {
  const { replyTo, mentions, meta } = extras;
  let fields = '';
  if (replyTo !== undefined) fields += `,"replyTo":"${replyTo}"`;
  if (mentions !== undefined) fields += `,"mentions":${JSON.stringify(mentions)}`;
  if (meta !== undefined) fields += `,"meta":${JSON.stringify(meta)}`;
  return fields;
}
