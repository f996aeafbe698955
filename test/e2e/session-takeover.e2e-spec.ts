import { GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { answerTo } from '../support/sends';
import { say, makeGroup } from '../support/talk';
import { metricOf } from '../support/service-report';
import type { TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

/** Enough for both instances to have some of their partitions. */
const CONVERSATIONS = 12;
/** Less than the session timeout of 6 s, which decides when nobody lets the dead one go. */
const WITHIN_MS = 4_000;
/** Where the process that delivers is there already, what it did counts, not how quick the machine is. */
const PATIENT_MS = 30_000;

describe('an instance of session is killed', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  /** `elsewhere`: Ann's other device, at the other gateway. */
  let [ann, bob, elsewhere]: TestSocket[] = [];
  let conversations: string[];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 1, presence: 1 },
    }));
    // a process that has had a partition before keeps what it knew of it: the second one has had none of the first one's
    await stack.node('session-2').restart();
    const [first, second] = [
      await ChatUser.create(stack.gatewayUrls),
      await ChatUser.create(stack.gatewayUrls),
    ];
    const groups = Array.from({ length: CONVERSATIONS }, () => makeGroup(first, [second]));
    conversations = await Promise.all(groups);
    const other = await first.onNewDevice();
    [ann, bob] = [await first.connect('gateway-1'), await second.connect('gateway-1')];
    elsewhere = await other.connect('gateway-2');
  }, 240_000);
  afterAll(async () => {
    await Promise.all([ann?.end(), bob?.end(), elsewhere?.end()]);
    await stop?.();
  });

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

  /** Sends messages once more, through a gateway that has not seen them: the log has them twice. */
  async function repeat(ids: readonly string[]): Promise<void> {
    for (const [n, messageId] of ids.entries()) {
      const target = { conversationId: conversations[n]! };
      const answer = await answerTo(elsewhere!, textSend(target, 'hello', messageId));
      expect(answer.type).toBe('sent');
    }
  }

  /** Resolves when the next owner of any partition begins behind all that was said. */
  async function committed(): Promise<void> {
    const topic = TOPICS.messages;
    const admin = createKafka({ brokers: [stack.brokers], clientId: 'test' })
      .instance()
      .admin();
    await admin.connect();
    try {
      await eventually(async () => {
        const ends = await admin.fetchTopicOffsets(topic);
        const [own] = await admin.fetchOffsets({
          groupId: GROUPS.sessionRouting,
          topics: [topic],
        });
        const done = new Map(own!.partitions.map((p) => [p.partition, p.offset]));
        const used = ends.filter(({ high }) => high !== '0');
        expect(used.map((p) => done.get(p.partition))).toEqual(used.map(({ high }) => high));
      }, 30_000);
    } finally {
      await admin.disconnect();
    }
  }

  const positionsOf = (messageId: string): Set<unknown> => {
    const copies = bob!.frames.filter((f) => f.type === 'message' && f['messageId'] === messageId);
    return new Set(copies.map((f) => f['position']));
  };

  it('with a second one: that lets it go and delivers again', async () => {
    const before = await talk(30_000);
    await committed();
    await stack.node('session-1').kill('SIGKILL');
    await talk(PATIENT_MS);
    expect(await metricOf(stack.node('session-2').url, 'peers_let_go_total')).toBe(1);
    await repeat(before);
    await talk(30_000);
    expect(before.map((id) => positionsOf(id).size)).toEqual(conversations.map(() => 1));
  });

  it('alone: its next process lets it go and delivers again, within 4 s of what a start takes', async () => {
    const before = await talk(30_000);
    const began = performance.now();
    await stack.node('session-2').restart();
    const startMs = performance.now() - began;
    await talk(30_000);
    await committed();
    await stack.node('session-2').kill('SIGKILL');
    await Promise.all([talk(startMs + WITHIN_MS), stack.node('session-2').restart()]);
    await repeat(before);
    await talk(30_000);
    expect(before.map((id) => positionsOf(id).size)).toEqual(conversations.map(() => 1));
  });

  it('while none lives, the leader of storage tells how far the group is behind', async () => {
    const { url } = stack.node('storage-1');
    const lag = (what: string) =>
      metricOf(url, `group_${what}`, `group="${GROUPS.sessionRouting}"`);
    await committed();
    await eventually(async () => expect(await lag('lag_records')).toBe(0), 20_000);
    await stack.node('session-2').kill('SIGKILL');
    await Promise.all(conversations.map((id) => say(ann!, id, 'is anybody there')));
    await eventually(async () => {
      expect(await lag('lag_records')).toBe(CONVERSATIONS);
      expect(await lag('lag_seconds')).toBeGreaterThan(0);
      expect(await lag('lost_records')).toBe(0);
    }, 20_000);
    await stack.node('session-2').restart();
    await eventually(async () => {
      expect(await lag('lag_records')).toBe(0);
      expect(await lag('lag_seconds')).toBe(0);
    }, 30_000);
  });
});
