import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { logLines, metricOf } from '../support/service-report';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';

/** Within this time of Kafka's return nothing is held for a gateway that is gone, milliseconds. */
const ADOPTED_MS = 60_000;
/** The groups join again and storage catches up, on a busy machine. */
const BACK_MS = 60_000;
/** For how long a gateway must be silent before its spool is taken, and what a busy machine adds. */
const SILENT_MS = 40_000;
const HELD = 60;

describe('what a gateway holds that is gone for good', () => {
  const root = mkdtempSync(join(tmpdir(), 'tidings-spools-'));
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversation: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ env: { SPOOL_ROOT: root } }));
    ann = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    conversation = await ann.direct(bob);
  }, 240_000);
  afterAll(async () => {
    await stop?.();
    rmSync(root, { recursive: true, force: true });
  });

  const metric = (gateway: string, name: string) => metricOf(stack.node(gateway).url, name);
  const logOf = (gateway: string) => stack.node(gateway).logPath;
  const lines = (n: number, name: string) =>
    Array.from({ length: n }, (_, i) =>
      textSend({ conversationId: conversation.id }, `${name} ${i}`),
    );
  const idsOf = (frames: readonly { messageId: string }[]) => frames.map((one) => one.messageId);

  const answered = (socket: TestSocket, type: string, ids: readonly string[]) =>
    eventually(() => {
      const of = new Set(socket.of(type).map((frame) => frame['messageId']));
      expect(ids.filter((id) => !of.has(id))).toEqual([]);
    }, BACK_MS);

  async function watching(user: ChatUser) {
    const socket = await user.connect('gateway-2');
    const view = new Holding();
    socket.onFrame = (frame) => view.take(frame);
    await view.sync(socket);
    return { socket, view };
  }

  /** Folders with spools under a gateway's name. */
  const foldersOf = (gateway: string) =>
    existsSync(join(root, gateway)) ? readdirSync(join(root, gateway)) : [];

  /** Everybody has these, each once and in this order: the history, and those who were there. */
  async function everybodyHas(ids: readonly string[], views: readonly Holding[]): Promise<void> {
    const among = (all: readonly string[]) => all.filter((id) => ids.includes(id));
    await eventually(async () => {
      const history = await bob.history(conversation.id);
      expect(among(history.map((m) => m.messageId))).toEqual(ids);
    }, BACK_MS);
    await eventually(() => {
      for (const view of views) {
        expect(among(view.ordered(conversation.id).map((m) => m.messageId))).toEqual(ids);
        expect(among(view.shown.map((m) => m.messageId))).toEqual(ids);
      }
    }, BACK_MS);
  }

  it('is sent by another one within 60 s of the return of Kafka, once and in order', async () => {
    const sender = await ann.onNewDevice(0);
    const a = await sender.connect('gateway-1');
    const watchers = [await watching(bob), await watching(await bob.onNewDevice(0))];
    const frames = lines(HELD, 'left behind');
    const ids = idsOf(frames);
    await stack.kafka.stop();
    for (const frame of frames) a.send(frame);
    await answered(a, 'held', ids);
    await stack.node('gateway-1').kill('SIGKILL');

    // what its sender sends again is theirs again: some through another gateway, and one line more
    const other = await sender.connect('gateway-2');
    const again = frames.slice(0, HELD / 2);
    const more = lines(1, 'behind them');
    for (const frame of again) other.send({ ...frame, retry: true });
    await answered(other, 'held', idsOf(again));

    await eventually(
      async () => expect(await metric('gateway-2', 'spools_left')).toBe(1),
      SILENT_MS,
    );
    // the log is away: it is not taken before it can be sent
    expect(await metric('gateway-2', 'spools_adopted_total')).toBe(0);
    expect(foldersOf('gateway-1')).toHaveLength(1);
    await stack.kafka.restart();
    const back = Date.now();
    await eventually(() => expect(foldersOf('gateway-1')).toEqual([]), ADOPTED_MS);
    await eventually(() => expect(foldersOf('gateway-2')).toHaveLength(1), ADOPTED_MS);
    const tookMs = Date.now() - back;
    expect(tookMs).toBeLessThan(ADOPTED_MS);
    expect(existsSync(join(root, 'gateway-1'))).toBe(false);
    expect(await metric('gateway-2', 'spools_adopted_total')).toBe(1);
    const [begun, ended] = ['what it held is sent from here', 'nothing is left of what'].map(
      (text) => logLines(logOf('gateway-2'), text),
    );
    expect(begun).toMatchObject([{ level: 'warn', of: 'gateway-1', entries: HELD }]);
    expect(ended).toHaveLength(1);
    await eventually(async () => expect(await metric('gateway-2', 'spools_left')).toBe(0));

    await answered(other, 'sent', idsOf(again));
    for (const frame of more) other.send(frame);
    await answered(other, 'sent', idsOf(more));
    await everybodyHas(
      [...ids, ...idsOf(more)],
      watchers.map(({ view }) => view),
    );
    await Promise.all([other, ...watchers.map(({ socket }) => socket)].map((one) => one.end()));

    // it comes back after all: with nothing, and useful
    await stack.node('gateway-1').restart();
    expect(foldersOf('gateway-1')).toHaveLength(1);
    expect(await metric('gateway-1', 'spool_entries')).toBe(0);
  }, 240_000);

  it('and was only hung: it wakes, acknowledges nothing of what it has lost, and ends', async () => {
    const sender = await ann.onNewDevice(0);
    const a = await sender.connect('gateway-1');
    const watchers = [await watching(bob)];
    const frames = lines(HELD, 'held by the hung one');
    const ids = idsOf(frames);
    await stack.kafka.stop();
    for (const frame of frames) a.send(frame);
    await answered(a, 'held', ids);
    stack.node('gateway-1').signal('SIGSTOP');
    let sentMeanwhile: string[];
    try {
      // these wait in its socket for it to wake
      const meanwhile = lines(3, 'sent to the hung one');
      sentMeanwhile = idsOf(meanwhile);
      for (const frame of meanwhile) a.send(frame);
      await eventually(
        async () => expect(await metric('gateway-2', 'spools_left')).toBe(1),
        SILENT_MS,
      );
      await stack.kafka.restart();
      await eventually(() => expect(foldersOf('gateway-1')).toEqual([]), ADOPTED_MS);
      await eventually(() => expect(foldersOf('gateway-2')).toHaveLength(1), ADOPTED_MS);
    } finally {
      stack.node('gateway-1').signal('SIGCONT');
    }
    await eventually(() => expect(stack.node('gateway-1').isAlive()).toBe(false), BACK_MS);
    expect(logLines(logOf('gateway-1'), 'another process has taken the spool')).toHaveLength(1);
    const promised = a
      .of('held')
      .concat(a.of('sent'))
      .map((frame) => frame['messageId'] as string);
    expect(sentMeanwhile.filter((id) => promised.includes(id))).toEqual([]);

    // its sender sends again what was not answered, elsewhere
    const other = await sender.connect('gateway-2');
    for (const messageId of sentMeanwhile) {
      const text = `sent to the hung one ${sentMeanwhile.indexOf(messageId)}`;
      const frame = textSend({ conversationId: conversation.id }, text, messageId);
      other.send({ ...frame, retry: true });
    }
    await answered(other, 'sent', sentMeanwhile);
    await everybodyHas(
      [...ids, ...sentMeanwhile],
      watchers.map(({ view }) => view),
    );
    await Promise.all([other, ...watchers.map(({ socket }) => socket)].map((one) => one.end()));
    await stack.node('gateway-1').restart();
  }, 240_000);
});
