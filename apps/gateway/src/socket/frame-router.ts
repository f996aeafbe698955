import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { TidingsError } from '@tidings/protocol/errors';
import {
  parseClientFrame,
  type ChangeFrame,
  type MarkFrame,
  type SendFrame,
} from '@tidings/protocol/frames';
import { FRAME_RATES, type UserRateName } from '@tidings/protocol/limits';
import type { ActivityFrame, StateFrame, WatchFrame } from '@tidings/protocol/presence';
import type { TypingFrame } from '@tidings/protocol/typing';
import type { Lanes } from '../lanes/lanes';
import { rateLimited, type UserRates } from '../rates/user-rates';
import type { Connection } from './connection';
import type { InboundFrame, PreparedSend, SyncFrame } from './inbound-frame';
import { pongFrameText, refusalFrameText } from './server-frames';
import type { WriteQueue } from './write-queue';

/** Frames that may wait behind a slow one before the socket is not read any more. */
const MAX_WAITING = 64;

/** Answers a frame that came too soon. */
interface LimitedFrames<F> {
  limited(connection: Connection, frame: F, error: TidingsError): void;
}

/** Answers the sends of a socket, one after the other. */
export interface SendFrames extends LimitedFrames<SendFrame> {
  /** Refuses what would overtake; false: the send is to be handled. */
  stuck(connection: Connection, frame: SendFrame): boolean;
  /** Starts what can be asked before it is the frame's turn. */
  prepare(frame: SendFrame): PreparedSend;
  /** A promise: the socket's next frame has to wait for it. */
  handle(connection: Connection, send: PreparedSend): Promise<void> | void;
}

/**
 * What is handled beside a socket's other frames. A promise is not waited for; it is given out so that
 * whatever it rejects with ends that socket and nothing else.
 */
type Beside = Promise<void> | void;

/** Answers `edit` and `delete` frames in their order; they do not hold up other frames. */
export interface ChangeFrames extends LimitedFrames<ChangeFrame> {
  handle(connection: Connection, frame: ChangeFrame): Beside;
}

/** Answers `sync` frames; they do not hold up the socket's other frames. */
export interface SyncFrames extends LimitedFrames<SyncFrame> {
  handle(connection: Connection, frame: SyncFrame): Beside;
}

/** Takes `received` and `read` frames; they do not hold up the socket's other frames. */
export interface ReceiptFrames extends LimitedFrames<MarkFrame> {
  handle(connection: Connection, frame: MarkFrame): Beside;
}

/** Takes `typing` frames; never answers them. */
export interface TypingFrames extends LimitedFrames<TypingFrame> {
  /** False: it says nothing new, and is passed over. */
  isNews(connection: Connection, frame: TypingFrame): boolean;
  handle(connection: Connection, frame: TypingFrame): void;
}

/** Takes what shows that a user is there; never answers it. */
export interface ActivityFrames extends LimitedFrames<ActivityFrame | StateFrame> {
  /** A frame of another type came that nobody sends but the user. */
  did(connection: Connection): void;
  handle(connection: Connection, frame: ActivityFrame | StateFrame): void;
}

/** Takes `watch` frames; they do not hold up the socket's other frames. */
export interface WatchFrames extends LimitedFrames<WatchFrame> {
  handle(connection: Connection, frame: WatchFrame): void;
}

export interface FrameRouterParts {
  sends: SendFrames;
  changes: ChangeFrames;
  receipts: ReceiptFrames;
  typing: TypingFrames;
  activity: ActivityFrames;
  watches: WatchFrames;
  syncs: SyncFrames;
  rates: Pick<UserRates, 'take'>;
  lanes: Pick<Lanes, 'textRefusal'>;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
  /** Handling a frame of this connection threw, or rejected: notes it and closes the connection. */
  failed(connection: Connection, error: unknown): void;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/**
 * Parses what clients send and hands it on, strictly in order per socket: while one frame waits for
 * an answer from elsewhere, later ones of the same socket wait behind it, and past a bound the
 * socket is not read any more. Whatever a frame makes throw, now or later, costs its own socket only.
 */
export class FrameRouter {
  constructor(private readonly parts: FrameRouterParts) {}

  /** One frame as it came. Never throws. */
  receive(connection: Connection, data: Buffer, isBinary: boolean): void {
    try {
      this.take(connection, data, isBinary);
    } catch (error) {
      this.parts.failed(connection, error);
    }
  }

  /** Lets the frames go that waited for `welcome`. */
  release(connection: Connection): void {
    void this.work(connection, null);
  }

  private take(connection: Connection, data: Buffer, isBinary: boolean): void {
    if (connection.ended) return;
    const now = this.parts.clock();
    connection.lastSeenAt = now;
    if (isBinary) {
      this.parts.close(connection, CLOSE_CODES.protocolError, 'frames are text');
      return;
    }
    if (!connection.frames.take(now)) {
      this.parts.close(connection, CLOSE_CODES.tooManyFrames, 'too many frames');
      return;
    }
    const inbound = this.parse(data.toString());
    if (connection.waiting === null) this.start(connection, inbound);
    else this.wait(connection, connection.waiting, inbound);
  }

  private parse(text: string): InboundFrame {
    const parsed = parseClientFrame(text);
    if ('refusal' in parsed) return { type: 'refused', refusal: parsed.refusal };
    const { frame } = parsed;
    switch (frame.type) {
      case 'send':
        return { type: 'send', send: { frame, first: null } };
      case 'edit':
      case 'delete':
        return { type: 'change', frame };
      case 'received':
      case 'read':
        return { type: 'mark', frame };
      case 'typing':
        return { type: 'typing', frame };
      case 'activity':
      case 'state':
        return { type: 'activity', frame };
      case 'watch':
        return { type: 'watch', frame };
      case 'sync':
        return { type: 'sync', frame };
      case 'ping':
        return { type: 'ping', ref: frame.ref };
    }
  }

  private wait(connection: Connection, waiting: InboundFrame[], inbound: InboundFrame): void {
    if (inbound.type === 'send') inbound.send = this.parts.sends.prepare(inbound.send.frame);
    waiting.push(inbound);
    if (waiting.length < MAX_WAITING || connection.paused) return;
    connection.paused = true;
    connection.socket.pause();
  }

  private start(connection: Connection, inbound: InboundFrame): void {
    const pending = this.handle(connection, inbound);
    if (!pending) return;
    connection.waiting = [];
    void this.work(connection, pending);
  }

  private handle(connection: Connection, inbound: InboundFrame): Promise<void> | void {
    const rate = rateOf(inbound);
    if (rate === null) return this.act(connection, inbound);
    if (this.isSettled(connection, inbound)) return;
    const refusal = isText(inbound) ? this.parts.lanes.textRefusal() : null;
    if (refusal) return this.refuse(connection, inbound, refusal);
    const waitMs = this.parts.rates.take(connection, rate);
    if (typeof waitMs !== 'number') return this.actLater(connection, inbound, waitMs);
    if (waitMs === 0) return this.act(connection, inbound);
    this.refuse(connection, inbound, rateLimited(waitMs));
  }

  /** Whether nothing is to be done for a frame, so that it counts for no rate either. */
  private isSettled(connection: Connection, inbound: InboundFrame): boolean {
    if (inbound.type === 'send') return this.parts.sends.stuck(connection, inbound.send.frame);
    return inbound.type === 'typing' && !this.parts.typing.isNews(connection, inbound.frame);
  }

  private async actLater(
    connection: Connection,
    inbound: InboundFrame,
    waiting: Promise<number>,
  ): Promise<void> {
    const waitMs = await waiting;
    if (connection.ended) return;
    if (waitMs === 0) await this.act(connection, inbound);
    else this.refuse(connection, inbound, rateLimited(waitMs));
  }

  private refuse(connection: Connection, inbound: InboundFrame, error: TidingsError): void {
    const { sends, changes, receipts, typing, activity, watches, syncs } = this.parts;
    switch (inbound.type) {
      case 'send':
        return sends.limited(connection, inbound.send.frame, error);
      case 'change':
        return changes.limited(connection, inbound.frame, error);
      case 'mark':
        return receipts.limited(connection, inbound.frame, error);
      case 'typing':
        return typing.limited(connection, inbound.frame, error);
      case 'activity':
        return activity.limited(connection, inbound.frame, error);
      case 'watch':
        return watches.limited(connection, inbound.frame, error);
      case 'sync':
        return syncs.limited(connection, inbound.frame, error);
      case 'ping':
      case 'refused':
        return;
    }
  }

  private act(connection: Connection, inbound: InboundFrame): Promise<void> | void {
    const { sends, changes, receipts, typing, activity, watches, syncs } = this.parts;
    const { writes, wallClock } = this.parts;
    if (isUserAct(inbound)) activity.did(connection);
    switch (inbound.type) {
      case 'send':
        return sends.handle(connection, inbound.send);
      case 'change':
        return this.beside(connection, changes.handle(connection, inbound.frame));
      case 'mark':
        return this.beside(connection, receipts.handle(connection, inbound.frame));
      case 'typing':
        return this.beside(connection, typing.handle(connection, inbound.frame));
      case 'activity':
        return activity.handle(connection, inbound.frame);
      case 'watch':
        return watches.handle(connection, inbound.frame);
      case 'sync':
        return this.beside(connection, syncs.handle(connection, inbound.frame));
      case 'ping':
        return writes.send(connection, pongFrameText(inbound.ref, wallClock()));
      case 'refused':
        return writes.send(connection, refusalFrameText(inbound.refusal));
    }
  }

  private beside(connection: Connection, work: Beside): void {
    work?.catch((error: unknown) => this.parts.failed(connection, error));
  }

  /** Waits for the frame under way, then works off what came meanwhile. Never rejects. */
  private async work(connection: Connection, pending: Promise<void> | null): Promise<void> {
    try {
      await pending;
      const waiting = connection.waiting ?? [];
      for (let next = waiting.shift(); next && !connection.ended; next = waiting.shift()) {
        await this.handle(connection, next);
        this.resume(connection, waiting.length);
      }
      connection.waiting = null;
      this.resume(connection, 0);
    } catch (error) {
      connection.waiting = null;
      this.parts.failed(connection, error);
    }
  }

  private resume(connection: Connection, waiting: number): void {
    if (!connection.paused || waiting > MAX_WAITING / 2) return;
    connection.paused = false;
    if (!connection.ended) connection.socket.resume();
  }
}

/** What a frame counts for; what was refused has counted as a frame of the socket. */
function rateOf(inbound: InboundFrame): UserRateName | null {
  switch (inbound.type) {
    case 'send':
      return FRAME_RATES.send;
    case 'ping':
      return FRAME_RATES.ping;
    case 'refused':
      return null;
    case 'change':
    case 'mark':
    case 'typing':
    case 'activity':
    case 'watch':
    case 'sync':
      return FRAME_RATES[inbound.frame.type];
  }
}

/** What goes into the log of messages. */
function isText({ type }: InboundFrame): boolean {
  return type === 'send' || type === 'change';
}

/** What an app does not send by itself. */
function isUserAct(inbound: InboundFrame): boolean {
  switch (inbound.type) {
    case 'send':
    case 'change':
    case 'typing':
      return true;
    case 'mark':
      return inbound.frame.type === 'read';
    default:
      return false;
  }
}
