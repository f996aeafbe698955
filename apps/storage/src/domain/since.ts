import { base64url, type Sha256 } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';

/** What a `since` stands for: everything below these offsets is held by the client. */
export interface Since {
  /** Log epoch. */
  epoch: number;
  /** Next offset per partition. */
  next: readonly bigint[];
  /** Present when the answer was not complete: where the next one goes on. */
  continuation?: Continuation;
}

/** How the first request of an answer chose its conversations. */
export type SyncMode = 'since' | 'new' | 'listed';

/** The rest of an answer that did not fit. */
export interface Continuation {
  mode: SyncMode;
  /** What the final `since` says: offsets applied when the first part was read. */
  target: readonly bigint[];
  /** Conversations not served yet that the client had listed, or that were cut off. */
  carried: readonly Carried[];
  /** Of those not listed, all up to this id are served; "": none yet; null: all are. */
  after: string | null;
  /** The first part did not wait for its barrier. */
  delayed: boolean;
}

/** A conversation that is still owed. */
export interface Carried {
  /** The first characters of its id: a hash, so they tell a user's conversations apart. */
  prefix: string;
  /** The client's `have`; null: new to the client. */
  have: bigint | null;
  /** Of the entries up to `have`, those changed up to this version are served; absent: none yet. */
  seen?: bigint;
  /** What the client holds is to be dropped. */
  reset?: true;
}

/** Characters of an id in {@link Carried.prefix}. */
export const PREFIX_CHARS = 8;
/** Most conversations that one `since` carries: all that a request lists, and those of a new device. */
export const CARRIED_MAX = LIMITS.syncListed + LIMITS.syncFirstConversations;

const VERSION = '1';
const MODES: Record<string, SyncMode> = { s: 'since', n: 'new', l: 'listed' };
const USER_CHARS = 8;

/** Encodes a `since` for one user; opaque to clients. Fields are joined by `.`, offsets are base 36. */
export function encodeSince(sha256: Sha256, userId: string, since: Since): string {
  const fields = [VERSION, userMark(sha256, userId), String(since.epoch), offsets(since.next)];
  const rest = since.continuation;
  if (rest) {
    fields.push(
      rest.mode.slice(0, 1) + (rest.delayed ? 'd' : ''),
      offsets(rest.target),
      rest.after === null ? '!' : rest.after,
      rest.carried.map(carriedText).join('~'),
    );
  }
  return fields.join('.');
}

/** Versions of changes are above 0, so that 0 stands for a reset. */
const RESET = 0n;

function carriedText({ prefix, have, seen, reset }: Carried): string {
  const held = prefix + (have === null ? '' : have.toString(36));
  if (reset) return `${held}:${RESET.toString(36)}`;
  return seen === undefined ? held : `${held}:${seen.toString(36)}`;
}

/**
 * Reads a `since`; null when it is not ours, of another user or epoch, or of another partition
 * count: the client is then served as a new device.
 */
export function decodeSince(
  sha256: Sha256,
  text: string,
  expected: { userId: string; epoch: number; partitions: number },
): Since | null {
  const fields = text.split('.');
  if (fields.length !== 4 && fields.length !== 8) return null;
  const [version, user, epoch, nextText] = fields as [string, string, string, string];
  if (version !== VERSION || user !== userMark(sha256, expected.userId)) return null;
  if (epoch !== String(expected.epoch)) return null;
  const next = readOffsets(nextText, expected.partitions);
  if (!next) return null;
  if (fields.length === 4) return { epoch: expected.epoch, next };
  const continuation = readContinuation(fields.slice(4), expected.partitions);
  return continuation && { epoch: expected.epoch, next, continuation };
}

function readContinuation(fields: string[], partitions: number): Continuation | null {
  const [kind, targetText, after, owedText] = fields as [string, string, string, string];
  const mode = /^[snl]d?$/.test(kind) ? MODES[kind[0]!] : undefined;
  const target = readOffsets(targetText, partitions);
  if (!mode || !target || !/^(!|[A-Za-z0-9_-]{0,64})$/.test(after)) return null;
  const carried: Carried[] = [];
  for (const entry of owedText === '' ? [] : owedText.split('~')) {
    const one = /^([A-Za-z0-9_-]{8})([0-9a-z]{0,13})(?::([0-9a-z]{1,13}))?$/.exec(entry);
    if (!one || carried.length >= CARRIED_MAX) return null;
    const have = one[2] === '' ? null : fromBase36(one[2]!);
    const seen = one[3] === undefined ? undefined : fromBase36(one[3]);
    // thirteen digits reach beyond what the database counts to
    if ((have ?? 0n) > MAX_POSITION || (seen ?? 0n) > MAX_POSITION) return null;
    const rest = seen === RESET ? { reset: true as const } : seen !== undefined && { seen };
    carried.push({ prefix: one[1]!, have, ...rest });
  }
  return { mode, target, carried, after: after === '!' ? null : after, delayed: kind.length > 1 };
}

function offsets(values: readonly bigint[]): string {
  return values.map((v) => v.toString(36)).join('-');
}

function readOffsets(text: string, partitions: number): bigint[] | null {
  const parts = text.split('-');
  if (parts.length !== partitions || !parts.every((p) => /^[0-9a-z]{1,13}$/.test(p))) return null;
  const values = parts.map(fromBase36);
  return values.every((v) => v <= MAX_OFFSET) ? values : null;
}

const MAX_POSITION = 2n ** 63n - 1n;
/** Room for the epoch's base below 2^63. */
const MAX_OFFSET = 2n ** 62n;

function fromBase36(text: string): bigint {
  let value = 0n;
  for (const c of text) value = value * 36n + BigInt(Number.parseInt(c, 36));
  return value;
}

function userMark(sha256: Sha256, userId: string): string {
  return base64url(sha256(new TextEncoder().encode(userId))).slice(0, USER_CHARS);
}
