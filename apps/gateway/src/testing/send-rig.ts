import { TidingsError } from '@tidings/protocol/errors';
import type { SendFrame } from '@tidings/protocol/frames';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { Metrics } from '@tidings/common/runtime/metrics';
import type { DirectConversations } from '../send/direct-conversations';
import type { FirstAppends } from '../send/first-appends';
import { LogPositions } from '../send/log-positions';
import type { Membership } from '../members/membership';
import { MessageLog, type AdmittedMessage } from '../send/message-log';
import { SendCounts } from '../send/send-counts';
import { SendHandler, type SendHandlerParts } from '../send/send.handler';
import { WriteQueue } from '../socket/write-queue';
import { QueueShares } from '../send/queue-shares';
import { HeldMessages } from '../send/held-messages';
import { fakeConnection } from './fake-connection';
import { FakeWriter } from './fake-writer';

/** The time at which every send comes. */
export const NOW = 1_700_000_000_000;
/** Somebody to send to. */
export const TO = '01890a5d-ac96-774b-bcce-b302099a8003';

/** A fresh UUIDv7 with this number in it. */
export function messageId(n: number, at = NOW): string {
  const hex = at.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`;
}

/** A send of a text with this number, to a conversation unless it says otherwise. */
export function send(n: number, over: Partial<SendFrame> = {}): SendFrame {
  return {
    type: 'send',
    messageId: messageId(n),
    conversationId: over.to === undefined ? 'c' : undefined,
    content: { kind: 'text', text: `text ${n}` },
    ...over,
  };
}

/** What the handler meets: whom memory admits, and what storage answers. */
export interface World {
  known: boolean;
  ttlSeconds: number | null;
  membership: 'ok' | 'no_such_conversation' | 'blocked' | 'unavailable';
  direct: 'd' | 'not_found' | 'unavailable';
  first: FirstAppend | null;
  media: 'ok' | 'media_not_found' | 'unavailable';
}

function settled<T>(membership: World['membership'], value: T): Promise<T> {
  return membership === 'ok'
    ? Promise.resolve(value)
    : Promise.reject(new TidingsError(membership));
}

/** A handler of sends over fakes; `answers`: number of the message and what it was told, in order. */
export function setUp(
  over: Partial<World> = {},
  options: Parameters<typeof fakeConnection>[0] = {},
) {
  const world: World = {
    known: true,
    ttlSeconds: null,
    membership: 'ok',
    direct: 'd',
    first: null,
    media: 'ok',
    ...over,
  };
  const fake = fakeConnection(options);
  const writer = new FakeWriter();
  const lookups: string[] = [];
  const closes: number[] = [];
  let directKnown: string | undefined;
  const firsts = {
    lookUp: (_conversationId: string, id: string) => {
      lookups.push(id);
      return Promise.resolve(world.first);
    },
    confirm: () => Promise.resolve(world.first),
  } as unknown as FirstAppends;
  const membership = {
    terms: () => (world.known ? { ttlSeconds: world.ttlSeconds } : null),
    require: () => settled(world.membership === 'blocked' ? 'ok' : world.membership, undefined),
    requireSender: () => settled(world.membership, { ttlSeconds: world.ttlSeconds }),
  } as unknown as Membership;
  const directs = {
    known: () => directKnown,
    resolve: () => {
      if (world.direct !== 'd') return Promise.reject(new TidingsError(world.direct));
      directKnown = 'd';
      return Promise.resolve('d');
    },
  } as unknown as DirectConversations;
  const completed: string[] = [];
  const media = {
    complete: async (message: AdmittedMessage) => {
      completed.push(message.messageId);
      await new Promise((resolve) => setImmediate(resolve));
      if (world.media !== 'ok') throw new TidingsError(world.media);
      const facts = { type: 'image/png', size: 7, width: 3, height: 2 };
      return { ...message, content: { ...message.content, ...facts } };
    },
  } as SendHandlerParts['media'];
  const clock = (): number => 0;
  const wallClock = (): number => NOW;
  const positions = LogPositions.of({ epoch: 1, bases: [0n] });
  const handler = new SendHandler({
    log: new MessageLog({
      writer,
      held: new HeldMessages(),
      shares: new QueueShares({ records: Infinity, bytes: Infinity }),
      positions,
      firsts,
      failed: (error) => {
        throw error;
      },
      clock,
      wallClock,
    }),
    membership,
    media,
    directs,
    firsts,
    writes: new WriteQueue({ overflow: () => undefined }),
    counts: new SendCounts(new Metrics({ service: 'gateway', node: 'g' })),
    close: (connection, code) => {
      connection.ended = true;
      closes.push(code);
    },
    wallClock,
  });
  const handle = (frame: SendFrame) => {
    if (handler.stuck(fake.connection, frame)) return;
    return handler.handle(fake.connection, { frame, first: null });
  };
  const answers = () =>
    fake.frames.map((f) => {
      const frame = JSON.parse(f) as { type: string; code?: string; messageId: string };
      return `${frame.messageId.slice(-2)} ${frame.code ?? frame.type}`;
    });
  return { ...fake, handler, handle, answers, world, writer, lookups, completed, closes };
}
