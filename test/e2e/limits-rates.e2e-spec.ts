import type { SyncedBody } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyUsers } from '../support/many-users';
import { say, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

/** Kafka starts, the groups join again. */
const BACK_MS = 60_000;

/** Logins and registrations per minute and address at gateway 2. */
const AUTH_RATE = 5;

/** Rates of addresses and numbers of things under way. Gateway 2 keeps to the rate of logins. */
describe('limits of rates hold', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let id: string;

  beforeAll(async () => {
    const auth = { AUTH_RATE_PER_MINUTE: String(AUTH_RATE) };
    ({ stack, stop } = await startTestStack({ nodeEnv: { 'gateway-2': auth } }));
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls);
    id = (await ann.direct(bob)).id;
  }, 240_000);
  afterAll(() => stop?.(), 60_000);

  /** Sends all at once; the answers in the order of the sends. */
  async function burst(socket: TestSocket, count: number, text: string): Promise<Frame[]> {
    const frames = Array.from({ length: count }, (_, i) =>
      textSend({ conversationId: id }, `${text} ${i}`),
    );
    for (const frame of frames) socket.send(frame);
    return Promise.all(
      frames.map(({ messageId }) =>
        socket.find(
          (f) => f['messageId'] === messageId && ['sent', 'held', 'error'].includes(f.type),
          BACK_MS,
        ),
      ),
    );
  }

  it('of logins and registrations per address', async () => {
    const [, base] = stack.gatewayUrls;
    const nobody = { username: 'nobody', password: 'nothing here' };
    const answers = [];
    for (let n = 0; n < AUTH_RATE + 3; n++) {
      answers.push(await ann.http('POST', '/v1/auth/login', nobody, { base }));
    }
    const taken = Array.from({ length: AUTH_RATE }, () => 401);
    expect(answers.map((a) => a.status)).toEqual([...taken, 429, 429, 429]);
    expect(answers.at(-1)!.body.code).toBe('rate_limited');
    expect(Number(answers.at(-1)!.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('100 sends without an answer', async () => {
    const socket = await ann.connect('gateway-2');
    await say(socket, id, 'before');
    stack.kafka.signal('SIGSTOP');
    let answers: Frame[];
    try {
      answers = await burst(socket, LIMITS.unansweredSends + 1, 'unanswered');
    } finally {
      stack.kafka.signal('SIGCONT');
    }
    const [last] = answers.splice(-1);
    expect(new Set(answers.map((f) => f.type))).toEqual(new Set(['held']));
    expect(last).toMatchObject({ type: 'error', code: 'busy', retryable: true });
    const texts = async () =>
      (await bob.history(id)).flatMap(({ content }) =>
        content.kind === 'text' && content.text.startsWith('unanswered') ? [content.text] : [],
      );
    const all = answers.map((_, i) => `unanswered ${i}`);
    await eventually(async () => expect(await texts()).toEqual(all), BACK_MS);
    const again = textSend({ conversationId: id }, 'unanswered 100', last!['messageId'] as string);
    expect((await sendAndWait(socket, { ...again, retry: true })).type).toBe('sent');
    await socket.end();
  }, 180_000);

  it('a new device is told of 50 conversations, an older one of all', async () => {
    const carol = await ChatUser.create(stack.gatewayUrls);
    const sync = async (body: object) =>
      (await carol.http<SyncedBody>('POST', '/v1/sync', body)).body;
    const before = await sync({});
    const others = await manyUsers(stack.databaseUrl, LIMITS.syncFirstConversations + 1);
    for (const other of others) {
      const body = { kind: 'direct', userIds: [other] };
      expect((await carol.http('POST', '/v1/conversations', body)).status).toBe(201);
    }
    expect((await sync({})).conversations).toHaveLength(LIMITS.syncFirstConversations);
    expect((await sync({ since: before.since })).conversations).toHaveLength(others.length);
  }, 120_000);
});
