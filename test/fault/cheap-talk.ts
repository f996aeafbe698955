import type { Message } from '@tidings/protocol/content';
import { comparePositions } from '@tidings/protocol/positions';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import type { Frame, TestSocket } from '../support/test-socket';
import type { FaultHistory, Whose } from './fault-history';

/** A message as one end has seen it. */
interface Seen {
  messageId: string;
  position: string;
}

/**
 * A direct conversation on two raw sockets, which keeps little per message: for rates at which SDK
 * clients would be the bottleneck. One end sends, the other listens.
 */
export class CheapTalk {
  readonly sent: string[] = [];
  /** message id → position, from `sent` */
  readonly acknowledged = new Map<string, string>();
  /** What the listener was pushed, by arrival; a repetition is left out. */
  readonly pushed: Seen[] = [];
  /** Monotonic milliseconds of each push. */
  readonly arrivals: number[] = [];
  /** Milliseconds from the first send of each message to its push, one for each of `arrivals`. */
  readonly delays: number[] = [];
  /** How often a send was refused for the moment; it and those behind it are sent again. */
  refusals = 0;
  /** Everything else that is neither `sent` nor a push. */
  readonly others: Frame[] = [];
  private readonly known = new Set<string>();
  private readonly open = new Map<string, object>();
  /** message id → monotonic milliseconds, of what was not pushed yet */
  private readonly sentAt = new Map<string, number>();
  private again: NodeJS.Timeout | null = null;

  private readonly ann: Whose;
  private readonly bob: Whose;

  private constructor(
    readonly id: string,
    n: number,
    private readonly history: FaultHistory,
    /** Reads pages of the history. */
    readonly reader: ChatUser,
    private readonly sender: TestSocket,
    private readonly listener: TestSocket,
  ) {
    [this.ann, this.bob] = [`a${n}`, `b${n}`].map((d) => ({ u: d, d })) as [Whose, Whose];
    // the sender's own device is not pushed what it sends
    history.unseen(this.ann.u, id);
    history.joined(this.bob, id);
    takeAll(sender, (frame) => this.atSender(frame));
    takeAll(listener, (frame) => this.atListener(frame));
  }

  /** `gateways`: ids of those that the sender and the listener connect to; else any. */
  static async begin(
    bases: string[],
    n: number,
    history: FaultHistory,
    gateways: readonly [string?, string?] = [],
  ): Promise<CheapTalk> {
    const ann = await ChatUser.create(bases, { at: n % 2 });
    const bob = await ChatUser.create(bases, { at: (n + 1) % 2 });
    const { id } = await eventually(() => ann.direct(bob), 30_000, 500);
    const sender = await ann.connect(gateways[0]);
    const listener = await bob.connect(gateways[1]);
    return new CheapTalk(id, n, history, bob, sender, listener);
  }

  send(): void {
    const text = `${this.sent.length} `.padEnd(128, 'x');
    const frame = textSend({ conversationId: this.id }, text);
    this.sent.push(frame.messageId);
    this.open.set(frame.messageId, frame);
    this.sentAt.set(frame.messageId, performance.now());
    this.history.invoked(this.ann, this.id, frame.messageId, text);
    this.sender.send(frame);
  }

  /** What has no answer is sent again: nobody answers by himself what may be a repetition. */
  sendAgain(): void {
    for (const frame of this.open.values()) this.sender.send({ ...frame, retry: true });
  }

  get unanswered(): number {
    return this.open.size;
  }

  /** Whether the listener's pushes rise and are what was acknowledged, where it was. */
  check(): void {
    const sorted = [...this.pushed].sort((a, b) => comparePositions(a.position, b.position));
    expect(this.pushed).toEqual(sorted);
    expect(this.pushed.map((m) => m.messageId)).toEqual(this.sent);
    expect(this.pushed).toEqual(
      this.sent.map((messageId) => ({ messageId, position: this.acknowledged.get(messageId) })),
    );
    expect(this.others).toEqual([]);
    expect([this.sender.closed, this.listener.closed]).toEqual([null, null]);
  }

  /** The history, all pages, has just this. */
  async checkHistory(): Promise<void> {
    const all = (await this.reader.history(this.id)).filter((m) => m.content.kind === 'text');
    this.history.page(this.id, all);
    this.history.final(this.bob, this.id, this.pushed);
    const stored = all.map(({ messageId, position }) => ({ messageId, position }));
    expect(stored).toEqual(this.pushed);
  }

  async end(): Promise<void> {
    if (this.again) clearTimeout(this.again);
    await Promise.all([this.sender.end(), this.listener.end()]);
  }

  private atSender(frame: Frame): void {
    if (frame.type === 'sent') {
      const messageId = frame['messageId'] as string;
      const position = frame['position'] as string;
      this.acknowledged.set(messageId, position);
      this.history.acknowledged(this.ann, this.id, { messageId, position });
      this.open.delete(messageId);
    } else if (frame.type === 'error' && frame['retryable'] === true) this.refused();
    else if (!PUSHES.has(frame.type)) this.others.push(frame);
  }

  private refused(): void {
    this.refusals += 1;
    this.again ??= setTimeout(() => {
      this.again = null;
      this.sendAgain();
    }, AGAIN_MS);
  }

  private atListener(frame: Frame): void {
    if (!PUSHES.has(frame.type)) this.others.push(frame);
    if (frame.type !== 'message') return;
    const message = frame as unknown as Message;
    const { messageId, position } = message;
    this.history.observed('frame', this.bob, this.id, message);
    if (this.known.has(messageId)) return;
    this.known.add(messageId);
    const now = performance.now();
    this.arrivals.push(now);
    this.delays.push(now - (this.sentAt.get(messageId) ?? now));
    this.sentAt.delete(messageId);
    this.pushed.push({ messageId, position });
  }
}

/** Between a refusal and the next try. */
const AGAIN_MS = 500;
/** Below what a gateway takes from one connection. */
const MAX_UNANSWERED = 80;

const PUSHES = new Set(['message', 'conversation', 'receipt', 'pending', 'account']);

/** Hands frames over without keeping them. */
function takeAll(socket: TestSocket, take: (frame: Frame) => void): void {
  socket.onFrame = (frame) => {
    socket.frames.length = 0;
    socket.arrivals.length = 0;
    take(frame);
  };
}

/**
 * Lets all talks send at this rate together, evenly and in turns, until told to stop. A talk that waits
 * for too many answers misses its turn: a machine that is too slow for the rate gets a lower one.
 */
export function sendEvenly(talks: readonly CheapTalk[], perSecond: number): () => void {
  const began = performance.now();
  let n = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; n < due; n++) {
      const talk = talks[n % talks.length]!;
      if (talk.unanswered < MAX_UNANSWERED) talk.send();
    }
  }, 5);
  return () => clearInterval(timer);
}
