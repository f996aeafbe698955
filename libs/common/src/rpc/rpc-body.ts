import type { FieldError } from '@tidings/protocol/errors';

/** A byte string, in the pieces in which it arrived. */
export type Pieces = Uint8Array[];

/**
 * The outcome of a call. A call's `bytes` names the field of `ok` that is a list of byte strings.
 */
export interface RpcAnswer {
  ok?: unknown;
  error?: { code: string; detail: string; errors?: FieldError[]; retryAfterMs?: number };
}

/** The contents of the first line when byte strings follow it: their field and lengths. */
interface BytesNote {
  field: string;
  lengths: number[];
}

const LINE_FEED = 10;

/**
 * The body of an answer, in pieces: its JSON; and, if a field of `ok` is a list of byte strings, a
 * line feed and those strings, unencoded. Text inside JSON inside JSON would be escaped, parsed and
 * encoded once more on each side, and a copy of a quarter of a megabyte is garbage outside the
 * heap.
 */
export function encodeAnswer(answer: RpcAnswer, field: string | undefined): Pieces {
  if (field === undefined || answer.ok === undefined) return [Buffer.from(JSON.stringify(answer))];
  const { [field]: list, ...ok } = answer.ok as Record<string, unknown>;
  const parts = list as Pieces[];
  const bytes: BytesNote = { field, lengths: parts.map(lengthOf) };
  return [Buffer.from(`${JSON.stringify({ ok, bytes })}\n`), ...parts.flat()];
}

/**
 * Reads such a body. Its byte strings lie in the given memory, which is not copied.
 *
 * @throws Error when it is empty or incomplete
 */
export function decodeAnswer(body: readonly Buffer[]): RpcAnswer {
  const last = body.findIndex((piece) => piece.includes(LINE_FEED));
  if (last < 0) return answerOf(JSON.parse(Buffer.concat(body).toString('utf8')));
  const end = body[last]!.indexOf(LINE_FEED);
  const line = Buffer.concat([...body.slice(0, last), body[last]!.subarray(0, end)]);
  const head = JSON.parse(line.toString('utf8')) as { ok: object; bytes: BytesNote };
  const rest = [body[last]!.subarray(end + 1), ...body.slice(last + 1)];
  const parts = cut(rest, head.bytes.lengths);
  return { ok: { ...head.ok, [head.bytes.field]: parts } };
}

/** The outcome in a JSON text, if it is an answer at all. */
function answerOf(value: unknown): RpcAnswer {
  const answer = value as RpcAnswer | null;
  if (typeof answer === 'object' && answer !== null) {
    if (typeof answer.error?.code === 'string' || 'ok' in answer) return answer;
  }
  throw new Error('the answer has no outcome');
}

/** Bytes of a byte string. */
export function lengthOf(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** Cuts the pieces of a whole into parts of these lengths. */
function cut(whole: Pieces, lengths: readonly number[]): Pieces[] {
  if (lengthOf(whole) !== lengths.reduce((a, b) => a + b, 0)) {
    throw new Error('the answer is not whole');
  }
  let index = 0;
  let at = 0;
  return lengths.map((length) => {
    const part: Pieces = [];
    for (let left = length; left > 0;) {
      const piece = whole[index]!.subarray(at, at + left);
      if (piece.length > 0) part.push(piece);
      left -= piece.length;
      at += piece.length;
      if (at === whole[index]!.length) {
        index += 1;
        at = 0;
      }
    }
    return part;
  });
}
