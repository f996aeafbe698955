import { contentProblem, type Content } from '@tidings/common/contracts/content';
import { TidingsError } from '@tidings/common/contracts/errors';
import { extrasProblem, type Extras } from '@tidings/common/contracts/extras';

/** Whom a message goes to: a conversation, or a user (the direct conversation with him). */
export type Recipient = { conversationId: string } | { to: string };

/** A text, or another content. */
export type Written = { text: string } | { content: Content };

/** What is sent: the content, with what it carries beside. */
export type Sendable = Written & Extras;

/**
 * The content that an application means.
 *
 * @throws TidingsError `text_too_long`, `payload_too_large` or `invalid_request`
 */
export function contentOf(given: Sendable): Content {
  const content: Content = 'content' in given ? given.content : { kind: 'text', text: given.text };
  const problem = contentProblem(content) ?? extrasProblem(given);
  if (problem) throw new TidingsError(problem);
  return content;
}
