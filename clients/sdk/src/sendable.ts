import {
  content as contentSchema,
  contentProblem,
  contentText,
  type Content,
} from '@tidings/protocol/content';
import { TidingsError, type ErrorCode, type FieldError } from '@tidings/protocol/errors';
import { extrasProblem, extrasShape, type Extras } from '@tidings/protocol/extras';
import { LIMITS } from '@tidings/protocol/limits';
import { isStorable, utf8Bytes } from '@tidings/protocol/text';
import { z } from 'zod';
import { InvalidCallError, type CallProblem } from './errors';

/** The destination of a message: a conversation, or a user (their direct conversation). */
export type Recipient = { conversationId: string } | { to: string };

/** A text, or other content. */
export type Written = { text: string } | { content: Content };

/** What is sent: the content, and what goes with it. */
export type Sendable = Written & Extras;

const extras = z.object(extrasShape);

/**
 * The content that an application means.
 *
 * @param call the called method, for the error
 * @throws InvalidCallError when it makes no sense, with what is wrong with which argument
 * @throws TidingsError `text_too_long`, `payload_too_large` or `invalid_request`: the server would
 * refuse it; `errors` names the field and its limit
 */
export function contentOf(given: Sendable, call = 'send'): Content {
  const problems = shapeProblems(given);
  if (problems.length > 0) throw new InvalidCallError(call, problems);
  const content: Content = 'content' in given ? given.content : { kind: 'text', text: given.text };
  const refusal = contentProblem(content);
  if (refusal) throw refused(refusal, contentFault(content, refusal));
  const besides = extrasProblem(given);
  if (besides) throw refused(besides, metaFault(besides));
  return content;
}

/**
 * The address of a message.
 *
 * @throws InvalidCallError unless it names exactly one conversation or user
 */
export function addressOf(given: Recipient, call = 'send'): Recipient {
  const { to, conversationId } = given as { to?: unknown; conversationId?: unknown };
  const rule = 'an id is expected, of either a user (to) or a conversation (conversationId)';
  if (to !== undefined && conversationId !== undefined) {
    throw new InvalidCallError(call, [{ path: 'to', rule: 'not together with conversationId' }]);
  }
  const path = to === undefined ? 'conversationId' : 'to';
  const id = to ?? conversationId;
  if (typeof id !== 'string' || id === '') throw new InvalidCallError(call, [{ path, rule }]);
  return to === undefined ? { conversationId: id } : { to: id };
}

/** Most contents by far are texts: they are checked without a schema. */
function shapeProblems(given: Sendable): CallProblem[] {
  const { text, content } = given as { text?: unknown; content?: unknown };
  const wrong: CallProblem[] = [];
  if (text !== undefined && content !== undefined) {
    wrong.push({ path: 'text', rule: 'not together with content' });
  } else if (content !== undefined) {
    wrong.push(...issues(contentSchema.safeParse(content), 'content'));
  } else if (typeof text !== 'string') {
    wrong.push({ path: 'text', rule: 'a string is expected' });
  }
  const { replyTo, mentions } = given;
  if (replyTo !== undefined || mentions !== undefined)
    wrong.push(...issues(extras.safeParse(given)));
  return wrong;
}

function issues(result: z.ZodSafeParseResult<unknown>, under?: string): CallProblem[] {
  return (result.error?.issues ?? []).map(({ path, message }) => ({
    path: [...(under === undefined ? [] : [under]), ...path].join('.'),
    rule: message,
  }));
}

function refused(code: ErrorCode, fault: FieldError): TidingsError {
  return new TidingsError(code, { detail: `${fault.path}: ${fault.message}`, errors: [fault] });
}

function contentFault(content: Content, code: ErrorCode): FieldError {
  if (content.kind === 'custom') return jsonFault('data', LIMITS.customBytes, code);
  const text = contentText(content);
  const path = content.kind === 'image' ? 'caption' : 'text';
  if (code === 'text_too_long') {
    return { path, message: `${utf8Bytes(text)} bytes; at most ${LIMITS.textBytes}` };
  }
  const message = isStorable(text)
    ? 'a visible character is expected'
    : 'NUL and lone surrogates cannot be stored';
  return { path, message };
}

function metaFault(code: ErrorCode): FieldError {
  return jsonFault('meta', LIMITS.metaBytes, code);
}

function jsonFault(path: string, bytes: number, code: ErrorCode): FieldError {
  const message =
    code === 'payload_too_large'
      ? `at most ${bytes} bytes of JSON`
      : `plain JSON is expected: finite numbers, at most ${LIMITS.jsonDepth} levels`;
  return { path, message };
}
