import type { FieldError } from '../contracts/errors';

/** The outcome of a call. `bytes`: names the field of `ok` that is a list of byte strings. */
export interface RpcAnswer {
  ok?: unknown;
  error?: { code: string; detail: string; errors?: FieldError[]; retryAfterMs?: number };
}

/** What stands in the first line when byte strings follow it: their field and lengths. */
interface BytesNote {
  field: string;
  lengths: number[];
}

const LINE_FEED = 10;

/**
 * The body of an answer: its JSON; and when a field of `ok` is a list of byte strings, a line feed and
 * those, as they are. Text inside JSON inside JSON would be escaped, parsed and encoded once more on
 * each side.
 */
export function encodeAnswer(answer: RpcAnswer, field: string | undefined): Buffer {
  if (field === undefined || answer.ok === undefined) return Buffer.from(JSON.stringify(answer));
  const { [field]: list, ...ok } = answer.ok as Record<string, unknown>;
  const parts = list as Uint8Array[];
  const bytes: BytesNote = { field, lengths: parts.map((part) => part.length) };
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ok, bytes })}\n`), ...parts]);
}

/**
 * Reads such a body.
 *
 * @throws Error when it is not whole
 */
export function decodeAnswer(body: Buffer): RpcAnswer {
  const end = body.indexOf(LINE_FEED);
  if (end < 0) return JSON.parse(body.toString('utf8')) as RpcAnswer;
  const head = JSON.parse(body.toString('utf8', 0, end)) as { ok: object; bytes: BytesNote };
  let at = end + 1;
  const parts = head.bytes.lengths.map((length) => body.subarray(at, (at += length)));
  if (at !== body.length) throw new Error('the answer is not whole');
  return { ok: { ...head.ok, [head.bytes.field]: parts } };
}
