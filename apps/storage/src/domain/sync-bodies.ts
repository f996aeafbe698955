import type { SyncedBody, SyncedConversation } from '@tidings/protocol/frames';
import { SYNC_ANSWER_BYTES } from '@tidings/protocol/bounds';
import { LIMITS } from '@tidings/protocol/limits';

/** Room in a frame for what stands beside the conversations: type, ref, since. */
const FRAME_ROOM = LIMITS.sinceChars + 4 * 1024;
/** Bytes of conversations in one frame. */
export const BODY_BYTES = LIMITS.serverFrameBytes - FRAME_ROOM;
/** Bytes of one conversation: it is never spread over frames. */
const CONVERSATION_BYTES = BODY_BYTES - 1024;
/** What parts of an answer may have, in bytes; tests make them small. */
export const PARTS = {
  /** Conversations of one whole answer; what comes behind goes into the next. */
  answer: SYNC_ANSWER_BYTES - 64 * 1024,
  /** Changed messages of one conversation; of more, the rest is owed. */
  changed: 1024 * 1024,
};

/** A message of an answer: JSON, encoded once. */
export interface MessageText {
  text: string;
  /** Above what the client holds; others were changed. */
  fresh: boolean;
}

/** A conversation of an answer whose messages and receipts are JSON text already. */
export type Draft = Omit<SyncedConversation, 'messages' | 'receipts'> & {
  messages: readonly MessageText[];
  receipts: string;
};

/** A conversation as JSON text, with its size in bytes of UTF-8. */
export interface Sized {
  text: string;
  bytes: number;
  /** Changed messages that do not fit beside the new ones: parts that go before. */
  before?: Sized[];
}

/**
 * Fits a conversation into frames. Fresh messages have to fit into one: its oldest ones are left out,
 * as `more` says. Changed ones, up to `have`, which stand before them, are never left out: those that
 * do not fit go into parts of their own, which say that the client holds what it held.
 */
export function fitConversation(draft: Draft, have: string): Sized {
  const whole = sized(draft);
  if (whole.bytes <= CONVERSATION_BYTES) return whole;
  const oldest = draft.messages.findIndex((m) => m.fresh);
  const changed = oldest < 0 ? draft.messages : draft.messages.slice(0, oldest);
  const fresh = oldest < 0 ? [] : draft.messages.slice(oldest);
  const last = withoutOldest({ ...draft, messages: fresh });
  if (changed.length === 0) return last;
  const room = CONVERSATION_BYTES - sized({ ...draft, messages: [] }).bytes;
  const before = chunks(changed, room).map((messages) =>
    sized({ ...draft, messages, upTo: have, more: false }),
  );
  return { ...last, before };
}

/** Leaves out the oldest messages until the rest fits. */
function withoutOldest(draft: Draft): Sized {
  const whole = sized(draft);
  let { bytes } = whole;
  if (bytes <= CONVERSATION_BYTES) return whole;
  let first = 0;
  // The newest message stays in any case; one message always fits.
  for (; bytes > CONVERSATION_BYTES && draft.messages.length - first > 1; first++) {
    bytes -= bytesOf(draft.messages[first]!) + 1;
  }
  return sized({ ...draft, messages: draft.messages.slice(first), more: true });
}

/** Cuts messages into runs of at most so many bytes; one message always fits. */
function chunks(messages: readonly MessageText[], limit: number): MessageText[][] {
  const runs: MessageText[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = bytesOf(message) + 1;
    if (runs.length === 0 || bytes > room) {
      runs.push([]);
      room = limit;
    }
    runs.at(-1)!.push(message);
    room -= bytes;
  }
  return runs;
}

function bytesOf({ text }: MessageText): number {
  return Buffer.byteLength(text);
}

/** The conversation as text: ids, positions and digests need no escaping. */
export function sized(draft: Draft): Sized {
  const { conversationId, state, messages, more, upTo, digest, unread, receipts } = draft;
  const list = messages.map((message) => message.text).join(',');
  const text = `{"conversationId":"${conversationId}","state":"${state}","messages":[${list}],"more":${more},"upTo":"${upTo}","digest":"${digest}","unread":${unread},"receipts":${receipts}}`;
  return { text, bytes: Buffer.byteLength(text) };
}

/** How many of these conversations go into one answer beside what is `taken`, in bytes; at least one. */
export function answerLength(sized: readonly Sized[], taken = 0): number {
  let bytes = taken;
  for (let i = 0; i < sized.length; i++) {
    bytes += partsOf(sized[i]!).reduce((sum, part) => sum + part.bytes, 0);
    if (i > 0 && bytes > PARTS.answer) return i;
  }
  return sized.length;
}

/**
 * Packs conversations into the bodies of frames, in order; the last one carries `end`. Each is the
 * JSON text of a `SyncedBody`.
 */
export function packBodies(
  sized: readonly Sized[],
  end: Pick<SyncedBody, 'since' | 'complete' | 'delayed'>,
): string[] {
  const lists: string[][] = [[]];
  let used = 0;
  for (const { text, bytes } of sized.flatMap(partsOf)) {
    if (used > 0 && used + bytes + 1 > BODY_BYTES) {
      lists.push([]);
      used = 0;
    }
    lists.at(-1)!.push(text);
    used += bytes + 1;
  }
  const bodies = lists.map((list) => `{"conversations":[${list.join(',')}]}`);
  const last = bodies.pop()!;
  return [...bodies, `${last.slice(0, -1)},${JSON.stringify(end).slice(1)}`];
}

function partsOf(one: Sized): Sized[] {
  return one.before ? [...one.before, one] : [one];
}
