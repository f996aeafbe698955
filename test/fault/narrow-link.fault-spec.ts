import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { residentBytes } from '../../tools/load/processes';
import { quantile } from '../../tools/load/silence';
import type { Stack } from '../../tools/stack/stack';
import { uuidv7 } from 'uuidv7';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { TcpProxy } from '../support/tcp-proxy';
import { openSocket, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';
import { CheapTalk, sendEvenly } from './cheap-talk';
import { downFor } from './fault';
import { FaultHistory } from './fault-history';

/** 64 kbit/s. */
const LINK_BYTES_PER_SECOND = 8_000;
const TEXT_BYTES = 16_000;
const GROUP_PER_SECOND = 40;
/** More than one answer of a sync has of a conversation. */
const SHORT_WORDS = 120;
const AT_ONCE = 50;
const TALKS = 8;
const TALKS_PER_SECOND = 40;
/** Each of two phases, milliseconds. */
const PHASE_MS = 20_000;
/** The kernel keeps some megabytes for a socket, as many as it likes: the group goes on for so long at most. */
const LOUD_MS = 120_000;
/** The p99 of others may be so many times what it is without the slow one, and so much more anyway. */
const RATIO = 1.5;
const ANYWAY_MS = 100;
/** Of the gateway, MiB. */
const MAX_GROWTH_MIB = 60;
/** The newest messages come over the narrow link once it is asked for them, milliseconds. */
const CATCHES_UP_MS = 60_000;
const MIB = 2 ** 20;
const RESULTS = join(__dirname, '../../.data/faults');

describe('somebody behind a link of 64 kbit/s, in a group that says eighty times as much', () => {
  let stack: Stack;
  let stop: (() => Promise<void>) | undefined;
  let proxy: TcpProxy | undefined;
  let history: FaultHistory;
  let stopSending = (): void => undefined;

  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack());
    history = new FaultHistory(join(RESULTS, 'narrow-link.jsonl'));
    proxy = await TcpProxy.start({ target: { port: stack.node('gateway-1').port } });
    proxy.toClient.bytesPerSecond = LINK_BYTES_PER_SECOND;
  }, 300_000);
  afterAll(async () => {
    stopSending();
    await stop?.();
    await proxy?.stop();
    history?.close();
  }, 120_000);

  it('is closed for being too slow, keeps nobody waiting, and has everything in the end', async () => {
    const gateway = stack.node('gateway-1');
    const [ann, bob] = await Promise.all([1, 2].map(() => ChatUser.create(stack.gatewayUrls)));
    const body = { kind: 'group', requestId: uuidv7(), title: 'Loud', userIds: [bob!.id] };
    const made = await eventually(async () => {
      const answer = await ann!.http<{ id: string }>('POST', '/v1/conversations', body);
      expect(answer.status).toBe(201);
      return answer.body;
    }, 30_000);
    const speaker = await ann!.connect('gateway-2');
    const talks: CheapTalk[] = [];
    for (let n = 0; n < TALKS; n++) {
      talks.push(await CheapTalk.begin(stack.gatewayUrls, n, history, ['gateway-1', 'gateway-1']));
    }
    stopSending = sendEvenly(talks, TALKS_PER_SECOND);
    await downFor(PHASE_MS / 2);

    const said: string[] = [];
    const quiet = await phase(talks, speaker, made.id, said);
    const before = residentBytes(gateway.pid) / MIB;
    const slow = await narrow(bob!);
    const beside = await phase(talks, speaker, made.id, said, async () => {
      await eventually(async () => expect(await closedFor(gateway.url)).not.toEqual({}), LOUD_MS);
    });
    const growthMiB = Math.round(residentBytes(gateway.pid) / MIB - before);
    const saidMiB = Math.round((said.length * TEXT_BYTES) / MIB);
    stopSending();
    const closed = await closedFor(gateway.url);
    slow.cut();
    for (let n = 0; n < SHORT_WORDS; n++) {
      const frame = textSend({ conversationId: made.id }, `short ${n}`);
      said.push(frame.messageId);
      speaker.send(frame);
      // no more at once than a connection may have without an answer
      if (n % AT_ONCE === 0) await allSent(speaker, said);
    }
    await allSent(speaker, said);

    const patient = await narrow(bob!);
    const has = new Set<string>();
    for (let since: string | undefined; ;) {
      const ref = uuidv7();
      patient.send({ type: 'sync', ref, since });
      const answer = await patient.find((frame) => frame['ref'] === ref, CATCHES_UP_MS);
      const { conversations, complete } = answer as unknown as {
        conversations: { messages: { messageId: string }[] }[];
        complete: boolean;
      };
      for (const { messages } of conversations) for (const m of messages) has.add(m.messageId);
      if (complete) break;
      since = answer['since'] as string;
    }
    const last = said.slice(-5);
    expect(last.filter((id) => !has.has(id))).toEqual([]);
    const all = (await bob!.history(made.id)).map(({ messageId }) => messageId);
    expect(said.filter((id) => !all.includes(id))).toEqual([]);

    const report = {
      fault: 'narrow link',
      at: new Date().toISOString(),
      said: said.length,
      saidMiB,
      closed,
      quietMs: quiet,
      besideMs: beside,
      growthMiB,
    };
    appendFileSync(join(RESULTS, 'report.jsonl'), `${JSON.stringify(report)}\n`);
    console.log(JSON.stringify(report));
    expect(closed).toEqual({ [CLOSE_CODES.tooSlow]: 1 });
    expect(beside.p99).toBeLessThanOrEqual(RATIO * quiet.p99 + ANYWAY_MS);
    expect(growthMiB).toBeLessThanOrEqual(MAX_GROWTH_MIB);
    for (const socket of [patient, speaker]) socket.cut();
    for (const talk of talks) {
      await eventually(() => expect(talk.unanswered).toBe(0), 30_000);
      await eventually(() => expect(talk.pushed.length).toBe(talk.sent.length), 30_000);
      talk.check();
      await talk.end();
    }
  }, 600_000);

  /** A socket behind the narrow link. */
  async function narrow(user: ChatUser): Promise<TestSocket> {
    const { ticket, url } = await user.ticket('gateway-1');
    const socket = await openSocket(url.replace(/:\d+\//, `:${proxy!.port}/`), ticket);
    await socket.next('welcome', 60_000);
    return socket;
  }
});

async function allSent(speaker: TestSocket, said: readonly string[]): Promise<void> {
  await eventually(() => expect(speaker.of('sent').length).toBe(said.length), CATCHES_UP_MS);
}

/** How many connections a gateway has closed by itself, by code. */
async function closedFor(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(/connections_closed_total\{[^}]*code="(4\d+)"[^}]*\} (\d+)/g);
  return Object.fromEntries([...lines].map(([, code, count]) => [code!, Number(count)]));
}

/**
 * The group is loud for a phase, and on until `longer` has settled; how long the messages of the others took
 * meanwhile, milliseconds.
 */
async function phase(
  talks: readonly CheapTalk[],
  speaker: TestSocket,
  conversationId: string,
  said: string[],
  longer: () => Promise<void> = () => Promise.resolve(),
): Promise<{ p50: number; p99: number }> {
  const from = talks.map(({ delays }) => delays.length);
  const timer = setInterval(() => {
    const frame = textSend({ conversationId }, 'x'.repeat(TEXT_BYTES));
    said.push(frame.messageId);
    speaker.send(frame);
  }, 1_000 / GROUP_PER_SECOND);
  try {
    await downFor(PHASE_MS);
    await longer();
  } finally {
    clearInterval(timer);
  }
  const taken = talks.flatMap(({ delays }, n) => delays.slice(from[n]));
  return { p50: Math.round(quantile(taken, 0.5)), p99: Math.round(quantile(taken, 0.99)) };
}
