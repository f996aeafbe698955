import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { quantile } from '../../tools/load/silence';
import type { Stack } from '../../tools/stack/stack';
import type { ChatUser } from '../support/chat-user';
import { textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyChatUsers } from '../support/many-users';
import type { TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';
import { CheapTalk, sendEvenly } from './cheap-talk';
import { downFor } from './fault';
import { FaultHistory } from './fault-history';

const MEMBERS = 500;
/** Messages a second to the large group: 500 pushes each. Two cores take no more beside the harness. */
const HOT_PER_SECOND = Number(process.env['HOT_RATE'] ?? 8);
const TALKS = 10;
const TALKS_PER_SECOND = 40;
const PHASE_MS = 15_000;
/** Quiet and hot in turns. */
const TURNS = 2;
/** The p99 of the others may be so many times what it is without, and so much more anyway. */
const RATIO = 2;
const ANYWAY_MS = 50;
const AT_ONCE = 8;
const RESULTS = join(__dirname, '../../.data/faults');

describe('a conversation of 500 that is hot', () => {
  let stack: Stack;
  let stop: (() => Promise<void>) | undefined;
  let history: FaultHistory;
  let stopSending = (): void => undefined;

  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 1, presence: 1 },
    }));
    history = new FaultHistory(join(RESULTS, 'hot.jsonl'));
  }, 300_000);
  afterAll(async () => {
    stopSending();
    await stop?.();
    history?.close();
  }, 120_000);

  it('reaches all of its members, and the messages of others take no longer', async () => {
    const users = await manyChatUsers(stack, MEMBERS);
    const [founder, ...others] = users as [ChatUser, ...ChatUser[]];
    const userIds = others.map(({ id }) => id);
    const body = { kind: 'group', requestId: uuidv7(), title: 'Hot', userIds };
    const { id } = await eventually(async () => {
      const answer = await founder.http<{ id: string }>('POST', '/v1/conversations', body);
      expect(answer.status).toBe(201);
      return answer.body;
    }, 60_000);
    const pushes = new Array<number>(MEMBERS).fill(0);
    const sockets = await connectAll(users, id, pushes);
    const talks: CheapTalk[] = [];
    for (let n = 0; n < TALKS; n++)
      talks.push(await CheapTalk.begin(stack.gatewayUrls, n, history));
    stopSending = sendEvenly(talks, TALKS_PER_SECOND);
    await downFor(PHASE_MS);

    let said = 0;
    const quiet: number[] = [];
    const hot: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      quiet.push(...(await delaysOf(talks)));
      const timer = setInterval(() => {
        const speaker = sockets[(said++ * 7) % MEMBERS]!;
        speaker.send(textSend({ conversationId: id }, `hot ${said}`));
      }, 1_000 / HOT_PER_SECOND);
      hot.push(...(await delaysOf(talks)));
      clearInterval(timer);
    }
    stopSending();
    // everybody is pushed what others say
    const all = said * (MEMBERS - 1);
    await eventually(
      () => expect(pushes.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(all),
      60_000,
      500,
    );
    const inMs = (values: number[]) => ({
      p50: Math.round(quantile(values, 0.5)),
      p99: Math.round(quantile(values, 0.99)),
    });
    const figures = { quietMs: inMs(quiet), hotMs: inMs(hot) };
    const ratio = Number((figures.hotMs.p99 / figures.quietMs.p99).toFixed(2));
    const report = { fault: 'hot conversation', at: new Date().toISOString(), MEMBERS, said };
    const line = JSON.stringify({ ...report, perSecond: HOT_PER_SECOND, ...figures, ratio });
    appendFileSync(join(RESULTS, 'report.jsonl'), `${line}\n`);
    console.log(line);
    expect(figures.hotMs.p99).toBeLessThanOrEqual(RATIO * figures.quietMs.p99 + ANYWAY_MS);
    for (const talk of talks) {
      await eventually(() => expect(talk.unanswered).toBe(0), 30_000);
      await eventually(() => expect(talk.pushed.length).toBe(talk.sent.length), 30_000);
      talk.check();
      await talk.end();
    }
    for (const socket of sockets) socket.cut();
  }, 600_000);
});

/** One socket for each; counts what each is pushed of the group. */
async function connectAll(
  users: readonly ChatUser[],
  conversationId: string,
  pushes: number[],
): Promise<TestSocket[]> {
  const sockets: TestSocket[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < users.length) {
      const n = next++;
      const socket = await users[n]!.connect(n % 2 === 0 ? 'gateway-1' : 'gateway-2');
      socket.onFrame = ({ type, conversationId: c }) => {
        socket.frames.length = 0;
        socket.arrivals.length = 0;
        if (type === 'message' && c === conversationId) pushes[n]! += 1;
      };
      sockets[n] = socket;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return sockets;
}

/** How long each message of the others took during a phase, milliseconds. */
async function delaysOf(talks: readonly CheapTalk[]): Promise<number[]> {
  const from = talks.map(({ delays }) => delays.length);
  await downFor(PHASE_MS);
  return talks.flatMap(({ delays }, n) => delays.slice(from[n]));
}
