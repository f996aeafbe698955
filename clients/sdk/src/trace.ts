import type { Trace } from '@tidings/protocol/trace';
import type { TidingsApi } from './api';

/** The path of one of this user's messages, with all its receivers; see TidingsClient.trace. */
export async function wholeTrace(
  api: Pick<TidingsApi, 'trace'>,
  conversationId: string,
  messageId: string,
): Promise<Omit<Trace, 'cursor'>> {
  const { cursor: more, ...whole } = await api.trace(conversationId, messageId);
  let cursor = more;
  while (cursor !== undefined) {
    const part = await api.trace(conversationId, messageId, { cursor });
    whole.delivered.push(...part.delivered);
    whole.read.push(...part.read);
    cursor = part.cursor;
  }
  return whole;
}
