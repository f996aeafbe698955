import type { SyncedBody, SyncedConversation } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import { utf8Bytes } from '@tidings/common/contracts/text';

/** Room in a frame for what stands beside the conversations: type, ref, since. */
const FRAME_ROOM = LIMITS.sinceChars + 4 * 1024;
/** Bytes of conversations in one frame. */
export const BODY_BYTES = LIMITS.serverFrameBytes - FRAME_ROOM;
/** Bytes of one conversation: it is never spread over frames. */
export const CONVERSATION_BYTES = BODY_BYTES - 1024;
/** Bytes of one whole answer; what comes behind goes into the next. */
export const ANSWER_BYTES = 2 * 1024 * 1024;

/** A conversation with its size as JSON, in bytes of UTF-8. */
export interface Sized {
  conversation: SyncedConversation;
  bytes: number;
  /** Changed messages that do not fit beside the new ones: parts that go before. */
  before?: Sized[];
}

/**
 * Fits a conversation into frames. New messages (`isNew`) have to fit into one: its oldest ones are
 * left out, as `more` says. Changed ones, up to `have`, are never left out: those that do not fit go
 * into parts of their own, which say that the client holds what it held.
 */
export function fitConversation(
  conversation: SyncedConversation,
  isNew: (position: string) => boolean,
  have: string,
): Sized {
  const bytes = sizeOf(conversation);
  if (bytes <= CONVERSATION_BYTES) return { conversation, bytes };
  const oldest = conversation.messages.findIndex((m) => isNew(m.position));
  const changed = oldest < 0 ? conversation.messages : conversation.messages.slice(0, oldest);
  const fresh = oldest < 0 ? [] : conversation.messages.slice(oldest);
  const empty = { ...conversation, messages: [] };
  const last = withoutOldest({ ...conversation, messages: fresh });
  if (changed.length === 0) return last;
  const before = chunks(changed, CONVERSATION_BYTES - sizeOf(empty)).map((messages) =>
    sized({ ...empty, messages, upTo: have, more: false }),
  );
  return { ...last, before };
}

/** Leaves out the oldest messages until the rest fits. */
function withoutOldest(conversation: SyncedConversation): Sized {
  let bytes = sizeOf(conversation);
  if (bytes <= CONVERSATION_BYTES) return { conversation, bytes };
  let first = 0;
  // The newest message stays in any case; one message always fits.
  for (; bytes > CONVERSATION_BYTES && conversation.messages.length - first > 1; first++) {
    bytes -= sizeOf(conversation.messages[first]) + 1;
  }
  const messages = conversation.messages.slice(first);
  return { conversation: { ...conversation, messages, more: true }, bytes };
}

/** Cuts messages into runs of at most so many bytes; one message always fits. */
function chunks<T>(messages: readonly T[], limit: number): T[][] {
  const runs: T[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = sizeOf(message) + 1;
    if (runs.length === 0 || bytes > room) {
      runs.push([]);
      room = limit;
    }
    runs.at(-1)!.push(message);
    room -= bytes;
  }
  return runs;
}

function sized(conversation: SyncedConversation): Sized {
  return { conversation, bytes: sizeOf(conversation) };
}

function sizeOf(value: unknown): number {
  return utf8Bytes(JSON.stringify(value));
}

/** How many of these conversations go into one answer; at least one. */
export function answerLength(sized: readonly Sized[]): number {
  let bytes = 0;
  for (let i = 0; i < sized.length; i++) {
    bytes += partsOf(sized[i]!).reduce((sum, part) => sum + part.bytes, 0);
    if (i > 0 && bytes > ANSWER_BYTES) return i;
  }
  return sized.length;
}

/** Packs conversations into the bodies of frames, in order; the last one carries `end`. */
export function packBodies(
  sized: readonly Sized[],
  end: Pick<SyncedBody, 'since' | 'complete' | 'delayed'>,
): SyncedBody[] {
  const bodies: SyncedBody[] = [{ conversations: [] }];
  let used = 0;
  for (const { conversation, bytes } of sized.flatMap(partsOf)) {
    if (used > 0 && used + bytes + 1 > BODY_BYTES) {
      bodies.push({ conversations: [] });
      used = 0;
    }
    bodies.at(-1)!.conversations.push(conversation);
    used += bytes + 1;
  }
  Object.assign(bodies.at(-1)!, end);
  return bodies;
}

function partsOf(one: Sized): Sized[] {
  return one.before ? [...one.before, one] : [one];
}
