import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { comparePositions } from '@tidings/protocol/positions';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding, type LeftOut } from '../support/holding';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';

const IN_FLIGHT = 8;
const CONNECTS = 200;
/**
 * Of what was acknowledged, the part that answers may leave out because there was too much. How much that is depends on
 * how many messages a machine takes while another socket connects (3 to 11 % seen). The bound says that most messages
 * were judged; that each answer which left something out had to, is checked one by one.
 */
const MAX_LEFT_OUT = 0.5;

/** Whether a position is one of those that an answer left out. */
function isIn({ above, below }: LeftOut, position: string): boolean {
  return comparePositions(above, position) < 0 && comparePositions(position, below) < 0;
}

/** Keeps a number of sends in flight and notes every acknowledged position in order. */
class Writer {
  readonly acknowledged: { messageId: string; position: string }[] = [];
  private running = true;
  private count = 0;

  constructor(
    private readonly socket: TestSocket,
    private readonly conversationId: string,
  ) {
    socket.onFrame = (frame) => {
      if (frame.type !== 'sent') return;
      this.acknowledged.push(frame as unknown as { messageId: string; position: string });
      if (this.running) this.one();
    };
    for (let i = 0; i < IN_FLIGHT; i++) this.one();
  }

  private one(): void {
    this.socket.send(textSend({ conversationId: this.conversationId }, `n ${this.count++}`));
  }

  async stop(): Promise<void> {
    this.running = false;
    await eventually(() => expect(this.acknowledged.length).toBe(this.count));
  }
}

describe.each([
  ['as it is', 0],
  ['with 50 ms between route and barrier', 50],
])('connecting while messages flow leaves no hole, %s', (_name, sleepMs) => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversation: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 2, presence: 1 },
      env: sleepMs > 0 ? { TEST_FAILPOINT: `gateway.betweenRouteAndBarrier:sleep${sleepMs}` } : {},
    }));
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls);
    conversation = await ann.direct(bob);
  }, 240_000);
  afterAll(() => stop?.());

  it(`${CONNECTS} connects on alternating gateways, half ended without a close`, async () => {
    const writer = new Writer(await ann.connect('gateway-1'), conversation.id);
    const holding = new Holding();
    const holes: object[] = [];
    const excused = new Set<string>();
    const syncTimes: number[] = [];
    for (let n = 0; n < CONNECTS; n++) {
      const socket = await bob.connect(n % 2 === 0 ? 'gateway-1' : 'gateway-2');
      for (const frame of socket.frames) holding.take(frame);
      socket.onFrame = (frame) => holding.take(frame);
      const began = performance.now();
      await holding.sync(socket);
      syncTimes.push(performance.now() - began);
      // judged at this instant, on what this answer and the pushes beside it brought
      const entries = holding.ordered(conversation.id);
      const highest = entries.at(-1)!.position;
      const { byId, leftOut } = holding.held(conversation.id);
      for (const { messageId, position } of writer.acknowledged) {
        if (comparePositions(position, highest) > 0 || byId.has(messageId)) continue;
        if (leftOut.some((gap) => isIn(gap, position))) excused.add(messageId);
        else holes.push({ connect: n, position, highest });
      }
      // both endings at both gateways
      if (n % 4 < 2) await socket.end();
      else socket.cut();
    }
    await writer.stop();
    expect(holes.slice(0, 8)).toEqual([]);
    expect(syncTimes).toHaveLength(CONNECTS);
    // timers may be a millisecond early
    expect(Math.min(...syncTimes)).toBeGreaterThan(sleepMs - 2);
    expect(writer.acknowledged.length).toBeGreaterThan(CONNECTS);
    // only a full answer leaves something out (the first has fewer), and that is the exception
    const given = holding.held(conversation.id).leftOut.map((gap) => gap.given);
    if (given[0] === LIMITS.syncFirstPerConversation) given.shift();
    for (const count of given) expect(count).toBe(LIMITS.syncNewestPerConversation);
    expect(excused.size / writer.acknowledged.length).toBeLessThan(MAX_LEFT_OUT);
    // the history agrees with what the last answers left the reader with
    const history = await eventually(async () => {
      const all = await bob.history(conversation.id);
      expect(all.length).toBe(writer.acknowledged.length + 1);
      return all;
    });
    const held = holding.held(conversation.id).byId;
    for (const entry of history) {
      const own = held.get(entry.messageId);
      if (own) expect(own.position).toBe(entry.position);
    }
  }, 240_000);
});
