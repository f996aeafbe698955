import { Client } from 'pg';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { answerTo } from '../support/sends';
import { startTestStack } from '../support/test-stack';

/** Storage reads the log again. */
const AGAIN_MS = 30_000;

describe('PostgreSQL comes back without its last commits', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let sql: Client;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ services: { gateway: 1 } }));
    sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
  }, 240_000);
  afterAll(async () => {
    await sql?.end();
    await stop?.();
  });

  /** Undoes the application of a conversation's last messages, as the loss of their commits does. */
  async function lose(conversationId: string, messageIds: readonly string[]): Promise<void> {
    await sql.query('BEGIN');
    const lost = await sql.query(
      'DELETE FROM messages WHERE conversation_id = $1 AND message_id = ANY ($2)',
      [conversationId, messageIds],
    );
    expect(lost.rowCount).toBe(messageIds.length);
    await sql.query(
      `UPDATE log_progress SET next = next - $2
       WHERE partition = (SELECT partition FROM conversations WHERE id = $1)`,
      [conversationId, messageIds.length],
    );
    await sql.query('COMMIT');
  }

  it('what they held is applied again from the log', async () => {
    const ann = await ChatUser.create(stack.gatewayUrls);
    const bob = await ChatUser.create(stack.gatewayUrls);
    const { id } = await ann.direct(bob);
    const a = await ann.connect();
    const ids: string[] = [];
    const say = async (text: string): Promise<void> => {
      const frame = textSend({ conversationId: id }, text);
      expect((await answerTo(a, frame)).type).toBe('sent');
      ids.push(frame.messageId);
    };
    const stored = async (): Promise<string[]> =>
      (await bob.history(id)).map((m) => m.messageId).filter((one) => ids.includes(one));
    for (const text of ['one', 'two', 'three']) await say(text);
    await eventually(async () => expect(await stored()).toEqual(ids));
    await lose(id, ids.slice(1));
    await say('four');
    const newest = ids.at(-1);
    const history = await eventually(async () => {
      const found = await stored();
      expect(found).toContain(newest);
      return found;
    }, AGAIN_MS);
    expect(history).toEqual(ids);
    await a.end();
  });
});
