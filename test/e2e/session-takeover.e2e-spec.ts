import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { say, makeGroup } from '../support/talk';
import { metricOf } from '../support/service-report';
import type { TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

/** Enough for both instances to have some of their partitions. */
const CONVERSATIONS = 12;
/** Less than the session timeout of 6 s, which decides when nobody lets the dead one go; for slow machines. The titles say it. */
const WITHIN_MS = 4_000;

describe('an instance of session is killed', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let [ann, bob]: TestSocket[] = [];
  let conversations: string[];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 1, session: 2, storage: 1, presence: 1 },
    }));
    const [first, second] = [
      await ChatUser.create(stack.gatewayUrls),
      await ChatUser.create(stack.gatewayUrls),
    ];
    const groups = Array.from({ length: CONVERSATIONS }, () => makeGroup(first, [second]));
    conversations = await Promise.all(groups);
    [ann, bob] = [await first.connect(), await second.connect()];
  }, 240_000);
  afterAll(async () => {
    await Promise.all([ann?.end(), bob?.end()]);
    await stop?.();
  }, 60_000);

  /** Says something in every conversation; resolves when the other end was shown all of it. */
  async function talk(withinMs: number): Promise<string[]> {
    const began = performance.now();
    const sent = await Promise.all(conversations.map((id) => say(ann!, id, 'hello')));
    const ids = sent.map((frame) => String(frame['messageId']));
    for (const id of ids) {
      const left = withinMs - (performance.now() - began);
      await bob!.find((f) => f.type === 'message' && f['messageId'] === id, left);
    }
    return ids;
  }

  /** Sends messages once more, as a client does that has lost an answer. */
  async function repeat(ids: readonly string[]): Promise<void> {
    for (const [n, messageId] of ids.entries()) {
      const target = { conversationId: conversations[n]! };
      ann!.send({ ...textSend(target, 'hello', messageId), retry: true });
    }
  }

  const positionsOf = (messageId: string): Set<unknown> => {
    const copies = bob!.frames.filter((f) => f.type === 'message' && f['messageId'] === messageId);
    return new Set(copies.map((f) => f['position']));
  };

  it('with a second one: that lets it go and delivers again within 4 s', async () => {
    const before = await talk(30_000);
    await stack.node('session-1').kill('SIGKILL');
    await talk(WITHIN_MS);
    expect(await metricOf(stack.node('session-2').url, 'peers_let_go_total')).toBe(1);
    await repeat(before);
    await talk(30_000);
    expect(before.map((id) => positionsOf(id).size)).toEqual(conversations.map(() => 1));
  }, 120_000);

  it('alone: its next process lets it go and delivers again within 4 s', async () => {
    const before = await talk(30_000);
    await stack.node('session-2').kill('SIGKILL');
    await Promise.all([talk(WITHIN_MS), stack.node('session-2').restart()]);
    await repeat(before);
    await talk(30_000);
    expect(before.map((id) => positionsOf(id).size)).toEqual(conversations.map(() => 1));
  }, 120_000);
});
