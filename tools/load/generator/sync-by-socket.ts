import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import { monotonicMs } from '../clock';
import { wayIn } from './entrance';
import { encodeClientFrame } from './frame-codec';
import type { DevicePlan, Entrance } from './protocol';
import { RawSocket, type SocketOwner } from './raw-socket';

const TIMEOUT_MS = 15_000;
const REF = 'load';

/** Moments of one connect, monotonic milliseconds. */
export interface SyncTimes {
  ticketMs: number;
  upgradeMs: number;
  syncedMs: number;
  closedMs: number;
}

/** Takes what a socket receives until the answer is whole. */
class Answer implements SocketOwner {
  readonly bodies: SyncedBody[] = [];
  readonly welcomed: Promise<void>;
  readonly whole: Promise<number>;
  readonly closed: Promise<void>;
  private settleWelcome!: () => void;
  private settleWhole!: (atMs: number) => void;
  private settleClosed!: () => void;
  private fail!: (error: Error) => void;
  /** Answers that were `delayed`. */
  delayed = 0;
  /** The last answer was one. */
  private waits = false;

  /** `ask` sends the request again: what was `delayed` is asked for when `resync` comes. */
  constructor(private readonly ask: () => void) {
    this.welcomed = new Promise((resolve) => (this.settleWelcome = resolve));
    this.closed = new Promise((resolve) => (this.settleClosed = resolve));
    this.whole = new Promise((resolve, reject) => {
      this.settleWhole = resolve;
      this.fail = reject;
    });
    // whoever waits sees it; nobody may be waiting yet
    this.whole.catch(() => undefined);
  }

  onText(bytes: Buffer, start: number, end: number): void {
    const frame = JSON.parse(bytes.toString('utf8', start, end)) as SyncedBody & {
      type: string;
      code?: string;
    };
    const now = monotonicMs();
    if (frame.type === 'welcome') this.settleWelcome();
    else if (frame.type === 'error') this.fail(new Error(`error ${frame.code}`));
    else if (frame.type === 'resync') this.askAgain();
    else if (frame.type === 'synced') {
      this.bodies.push(frame);
      if (frame.delayed === true) {
        // What came is good, but says nothing of the rest: it is left, and all of it asked for again.
        this.delayed++;
        this.waits = true;
        this.bodies.length = 0;
      } else if (frame.complete !== undefined || frame.since !== undefined) this.settleWhole(now);
    }
  }

  private askAgain(): void {
    if (!this.waits) return;
    this.waits = false;
    this.ask();
  }

  onClosed(code: number, reason: string): void {
    this.fail(new Error(`closed with ${code} ${reason}`.trim()));
    this.settleWelcome();
    this.settleClosed();
  }
}

/**
 * Connects as a device, syncs once and closes; a server that is behind (`delayed`) is asked again when it
 * says so (`resync`). Rejects when it is refused, or takes longer than 15 s for a step.
 */
export async function syncBySocket(
  entrance: Entrance,
  { device, index }: { device: DevicePlan; index: number },
  request: SyncRequest,
): Promise<{ bodies: SyncedBody[]; delayed: number; times: SyncTimes }> {
  const way = await wayIn(entrance, device, index);
  const ticketMs = monotonicMs();
  const frame = encodeClientFrame(
    Buffer.from(JSON.stringify({ type: 'sync', ref: REF, ...request })),
  );
  const answer: Answer = new Answer(() => socket.write(frame));
  const socket = await RawSocket.open(way, answer);
  try {
    await within(answer.welcomed, 'welcome');
    socket.write(frame);
    const syncedMs = await within(answer.whole, 'answer');
    socket.close();
    await within(answer.closed, 'close');
    const times = { ticketMs, upgradeMs: ticketMs, syncedMs, closedMs: monotonicMs() };
    return { bodies: answer.bodies, delayed: answer.delayed, times };
  } finally {
    socket.close();
  }
}

async function within<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
