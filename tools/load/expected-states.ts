import { createHash } from 'node:crypto';
import { DIGEST_LENGTH } from '@tidings/protocol/digest';
import type { Client } from 'pg';
import { StackError } from '../stack/paths';
import type { ExpectedState } from './generator/connects-protocol';

const SQL = `SELECT m.user_id, m.conversation_id, ARRAY(
    SELECT l.line FROM (SELECT x.position, x.position || ':' || x.message_id || ':' || x.version AS line
      FROM messages x WHERE x.conversation_id = m.conversation_id
      ORDER BY x.position DESC LIMIT ${DIGEST_LENGTH}) l ORDER BY l.position) AS lines
  FROM members m WHERE m.user_id = ANY ($1)`;

/**
 * What PostgreSQL holds for users who see all of their conversations, in which nothing expires: the
 * digests, computed here from the rows.
 * @throws StackError when a user has another number of conversations.
 */
export async function expectedStates(
  client: Client,
  userIds: readonly string[],
  each: number,
): Promise<ExpectedState[][]> {
  const { rows } = await client.query<{
    user_id: string;
    conversation_id: string;
    lines: string[];
  }>(SQL, [userIds]);
  const byUser = new Map<string, ExpectedState[]>();
  for (const { user_id, conversation_id: conversationId, lines } of rows) {
    const states = byUser.get(user_id) ?? [];
    byUser.set(user_id, states);
    states.push({ conversationId, digest: digestOfLines(lines), messages: lines.length });
  }
  return userIds.map((userId) => {
    const states = byUser.get(userId) ?? [];
    if (states.length === each) return states;
    throw new StackError(
      `A user of the load has ${states.length} conversations instead of ${each}: use another stack.`,
    );
  });
}

function digestOfLines(lines: readonly string[]): string {
  const count = lines.length < DIGEST_LENGTH ? [`#${lines.length}`] : [];
  return createHash('sha256')
    .update([...lines, ...count].join('\n'))
    .digest('base64url');
}
