import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import {
  parseClientFrame,
  type ChangeFrame,
  type MarkFrame,
  type SendFrame,
} from '@tidings/common/contracts/frames';
import type { TypingFrame } from '@tidings/common/contracts/typing';
import type { Connection } from './connection';
import type { InboundFrame, PreparedSend, SyncFrame } from './inbound-frame';
import { pongFrameText, refusalFrameText } from './server-frames';
import type { WriteQueue } from './write-queue';

/** Frames that may wait behind a slow one before the socket is not read any more. */
const MOST_WAITING = 64;

/** Answers the sends of a socket, one after the other. None of these may throw or reject. */
export interface SendFrames {
  /** Starts what can be asked before it is the frame's turn. */
  prepare(frame: SendFrame): PreparedSend;
  /** A promise: the socket's next frame has to wait for it. */
  handle(connection: Connection, send: PreparedSend): Promise<void> | void;
}

/** Answers `edit` and `delete` frames in their order; they do not hold up other frames. */
export interface ChangeFrames {
  handle(connection: Connection, frame: ChangeFrame): void;
}

/** Answers `sync` frames; they do not hold up the socket's other frames. */
export interface SyncFrames {
  handle(connection: Connection, frame: SyncFrame): void;
}

/** Takes `received` and `read` frames; they do not hold up the socket's other frames. */
export interface ReceiptFrames {
  handle(connection: Connection, frame: MarkFrame): void;
}

/** Takes `typing` frames; never answers them. */
export interface TypingFrames {
  handle(connection: Connection, frame: TypingFrame): void;
}

export interface FrameRouterParts {
  sends: SendFrames;
  changes: ChangeFrames;
  receipts: ReceiptFrames;
  typing: TypingFrames;
  syncs: SyncFrames;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/**
 * Parses what clients send and hands it on, strictly in order per socket: while one frame waits for
 * an answer from elsewhere, later ones of the same socket wait behind it, and past a bound the
 * socket is not read any more.
 */
export class FrameRouter {
  constructor(private readonly parts: FrameRouterParts) {}

  /** One frame as it came. */
  receive(connection: Connection, data: Buffer, isBinary: boolean): void {
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

  /** Lets the frames go that waited for `welcome`. */
  release(connection: Connection): void {
    void this.work(connection, null);
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
      case 'sync':
        return { type: 'sync', frame };
      case 'ping':
        return { type: 'ping', ref: frame.ref };
    }
  }

  private wait(connection: Connection, waiting: InboundFrame[], inbound: InboundFrame): void {
    if (inbound.type === 'send') inbound.send = this.parts.sends.prepare(inbound.send.frame);
    waiting.push(inbound);
    if (waiting.length < MOST_WAITING || connection.paused) return;
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
    const { sends, changes, receipts, typing, syncs, writes, wallClock } = this.parts;
    switch (inbound.type) {
      case 'send':
        return sends.handle(connection, inbound.send);
      case 'change':
        return changes.handle(connection, inbound.frame);
      case 'mark':
        return receipts.handle(connection, inbound.frame);
      case 'typing':
        return typing.handle(connection, inbound.frame);
      case 'sync':
        return syncs.handle(connection, inbound.frame);
      case 'ping':
        return writes.send(connection, pongFrameText(inbound.ref, wallClock()));
      case 'refused':
        return writes.send(connection, refusalFrameText(inbound.refusal));
    }
  }

  /** Waits for the frame under way, then works off what came meanwhile. */
  private async work(connection: Connection, pending: Promise<void> | null): Promise<void> {
    await pending;
    const waiting = connection.waiting ?? [];
    for (let next = waiting.shift(); next && !connection.ended; next = waiting.shift()) {
      await this.handle(connection, next);
      this.resume(connection, waiting.length);
    }
    connection.waiting = null;
    this.resume(connection, 0);
  }

  private resume(connection: Connection, waiting: number): void {
    if (!connection.paused || waiting > MOST_WAITING / 2) return;
    connection.paused = false;
    if (!connection.ended) connection.socket.resume();
  }
}
