import { openSocket, type TestSocket } from '../support/test-socket';
import type { Conversation } from '@tidings/protocol/http';
import type { SyncedBody } from '@tidings/protocol/frames';
import type { Message } from '@tidings/protocol/content';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { StatementLog, transactionsOf } from '../support/statement-log';
import { startTestStack } from '../support/test-stack';

/** Direct chats; in some of them something is said while nobody listens. */
const CHATS = 6;
const MISSED_IN = 4;
const MISSED_EACH = 3;
/** What a sync may ask beside the begin and the end of its snapshot. */
const MOST = 3;
const SNAPSHOT = 'ISOLATION LEVEL REPEATABLE READ READ ONLY';
/** Whatever concerns accounts: logins, passwords, devices. */
const OF_ACCOUNTS = /\b(users|devices|refresh_tokens|login)\b/i;

describe('a client whose gateway was killed', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let statements: StatementLog;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ services: { gateway: 2, storage: 2 } }));
    statements = await StatementLog.start(stack.postgres);
  }, 240_000);
  afterAll(() => stop?.());

  const reads = () =>
    statements
      .of((application) => /^storage-\d\/reads$/.test(application))
      .filter(({ name }) => name !== 'SELECT 1');

  /** The whole answer of a sync. */
  async function sync(socket: TestSocket, ref: string, more: object): Promise<SyncedBody> {
    socket.send({ type: 'sync', ref, ...more });
    const isLast = (frame: object) => 'complete' in frame;
    await socket.find((f) => f['ref'] === ref && isLast(f));
    const bodies = socket.of('synced').filter((f) => f['ref'] === ref) as unknown as SyncedBody[];
    return { ...bodies.at(-1)!, conversations: bodies.flatMap((body) => body.conversations) };
  }

  async function say(socket: TestSocket, { id }: Conversation, text: string): Promise<string> {
    const frame = textSend({ conversationId: id }, text);
    socket.send(frame);
    await socket.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
    return frame.messageId;
  }

  it('is at its backup by the resume ticket: no login, at most three statements, each message once', async () => {
    const [url1, url2] = stack.gatewayUrls as [string, string];
    const ann = await ChatUser.create([url1, url2]);
    const others = await Promise.all(
      Array.from({ length: CHATS }, () => ChatUser.create([url2, url1])),
    );
    const chats: Conversation[] = [];
    for (const other of others) chats.push(await other.direct(ann));
    const sockets = await Promise.all(others.map((other) => other.connect('gateway-2')));
    const socket = await ann.connect('gateway-1');
    for (const [n, chat] of chats.entries()) await say(sockets[n]!, chat, 'before');
    await eventually(() => expect(socket.of('message')).toHaveLength(CHATS));
    const first = await eventually(async () => {
      const answer = await sync(socket, `first ${Math.random()}`, {});
      expect(answer.complete).toBe(true);
      return answer;
    });
    const { resumeTicket } = socket.of('welcome')[0] as unknown as { resumeTicket: string };

    await stack.node('gateway-1').kill('SIGKILL');
    const missed: string[] = [];
    for (const [n, chat] of chats.slice(0, MISSED_IN).entries()) {
      for (let i = 0; i < MISSED_EACH; i++)
        missed.push(await say(sockets[n]!, chat, `missed ${i}`));
    }
    // stored: what is still on its way is asked for once more
    await eventually(async () => {
      for (const [n, chat] of chats.slice(0, MISSED_IN).entries()) {
        const history = await others[n]!.history(chat.id);
        expect(history.at(-1)!.content).toMatchObject({ text: `missed ${MISSED_EACH - 1}` });
      }
    });

    await eventually(() => expect(transactionsOf(reads()).every((t) => t.ended)).toBe(true));
    statements.clear();
    const back = await openSocket(`${url2.replace('http', 'ws')}/v1/ws`, resumeTicket);
    await back.next('welcome');
    const conversations = first.conversations.map((c) => ({
      conversationId: c.conversationId,
      position: c.upTo,
      digest: c.digest,
    }));
    const answer = await sync(back, 'again', { since: first.since, conversations });

    expect(answer.complete).toBe(true);
    const got = answer.conversations.flatMap((c) => c.messages as Message[]);
    expect(got.map((m) => m.messageId).sort()).toEqual([...missed].sort());
    expect(back.of('message')).toEqual([]);
    // an answer does not wait for the end of its snapshot
    const asked = await eventually(() => {
      const all = transactionsOf(reads());
      expect(all.filter((t) => t.ended)).toHaveLength(all.length);
      return all;
    });
    expect(asked.map(({ mode }) => mode)).toEqual([SNAPSHOT]);
    expect(asked[0]!.statements.length).toBeLessThanOrEqual(MOST);
    const inside = new Set(asked[0]!.statements);
    const outside = reads().map(({ name }) => name);
    const strange = outside.filter(
      (name) => !inside.has(name) && !/^(BEGIN|COMMIT|keep-counted$)/.test(name),
    );
    expect(strange).toEqual([]);
    // neither there nor over any other connection of storage
    const all = statements.of((application) => application.startsWith('storage-'));
    const names = all.map(({ name }) => name);
    expect(names.filter((name) => OF_ACCOUNTS.test(name))).toEqual([]);
    console.log(`asked: ${outside.join(', ')}`);

    // and it goes on from there
    const next = await say(sockets[0]!, chats[0]!, 'afterwards');
    await back.find((f) => f.type === 'message' && f['messageId'] === next);
    expect(back.of('message')).toHaveLength(1);
  });
});
