import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { TidingsError } from '@tidings/protocol/errors';
import { WebSocket } from 'ws';
import type { Connection } from './connection';
import { errorFrameText, type ErrorEcho } from './server-frames';
import { textFrame } from './text-frame';

/** Bytes that may wait for a slow socket; with more it is closed and has to sync. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;
/** With less than this waiting, a socket has room for a large frame. */
const ROOMY_BYTES = 256 * 1024;
/** A socket that has no room for a large frame for this time is closed, milliseconds. */
export const ROOM_WITHIN_MS = 20_000;
/** Pushes that may wait for a `welcome`, and their bytes. */
const MAX_HELD = 1_000;
const MAX_HELD_BYTES = MAX_BUFFERED_BYTES;

/** What the write queue tells its owner. */
export interface WriteQueueHooks {
  /** A connection is too slow; `close` it. Called once per connection. */
  overflow(connection: Connection, code: number): void;
  /** Told of each `error` that answers a frame of this type. */
  refused?(type: string, error: TidingsError): void;
}

/**
 * Writes frames to sockets. All frames that a socket gets in one turn of the event loop leave in one
 * write; what a socket does not take is bounded.
 */
export class WriteQueue {
  private corked: Connection[] = [];
  private readonly flushTurn = (): void => this.flush();

  constructor(
    private readonly hooks: WriteQueueHooks,
    private readonly roomWithinMs = ROOM_WITHIN_MS,
  ) {}

  /** Writes a frame's JSON. Connections that have ended or are closing are skipped. */
  send(connection: Connection, frame: string): void {
    if (isOpen(connection)) this.write(connection, textFrame(frame));
  }

  /** Answers a frame of this type with an `error`. */
  refuse(connection: Connection, type: string, error: TidingsError, echo: ErrorEcho): void {
    this.hooks.refused?.(type, error);
    this.send(connection, errorFrameText(error, echo));
  }

  /** The same for a long one, which goes on in pieces that are not copied. */
  sendLong(connection: Connection, begin: string, rest: readonly Uint8Array[]): void {
    if (!isOpen(connection)) return;
    const more = rest.reduce((sum, piece) => sum + piece.length, 0);
    this.write(connection, textFrame(begin, more), rest);
  }

  /**
   * Writes an encoded frame, past the sender of `ws`: without masks, compression and fragments it has
   * nothing to add, and header and payload leave in one write.
   */
  private write(connection: Connection, bytes: Buffer, rest: readonly Uint8Array[] = []): void {
    if (!isOpen(connection)) return;
    if (!connection.corked) this.cork(connection);
    connection.raw.write(bytes);
    for (const piece of rest) connection.raw.write(piece);
    if (connection.raw.writableLength > MAX_BUFFERED_BYTES) {
      this.hooks.overflow(connection, CLOSE_CODES.tooSlow);
    }
  }

  /** Writes an encoded frame that was pushed to the connection; it waits until `welcome` is out. */
  push(connection: Connection, bytes: Buffer): void {
    if (connection.welcomed) {
      this.write(connection, bytes);
      return;
    }
    connection.held ??= [];
    connection.held.push(bytes);
    connection.heldBytes += bytes.length;
    if (connection.held.length > MAX_HELD || connection.heldBytes > MAX_HELD_BYTES) {
      this.hooks.overflow(connection, CLOSE_CODES.tooSlow);
    }
  }

  /** Writes `welcome`, right behind it this encoded frame, and what was pushed before it. */
  welcome(connection: Connection, frame: string, next: Buffer | null = null): void {
    this.send(connection, frame);
    connection.welcomed = true;
    if (next) this.write(connection, next);
    const held = connection.held ?? [];
    connection.held = null;
    for (const one of held) this.write(connection, one);
  }

  /**
   * Settles when the socket has room for a large frame, or is gone. One that takes too long is closed:
   * the answer that waits for it is not kept for ever.
   */
  async room(connection: Connection): Promise<void> {
    const { raw } = connection;
    if (raw.writableLength <= ROOMY_BYTES) return;
    connection.uncork();
    const tooSlow = (): void => this.hooks.overflow(connection, CLOSE_CODES.tooSlow);
    const timer = setTimeout(tooSlow, this.roomWithinMs);
    await this.drained(connection);
    clearTimeout(timer);
  }

  private async drained(connection: Connection): Promise<void> {
    const { raw } = connection;
    while (!connection.ended && raw.writableLength > ROOMY_BYTES) {
      await new Promise<void>((resolve) => {
        const settle = (): void => {
          raw.off('drain', settle);
          raw.off('close', settle);
          resolve();
        };
        raw.on('drain', settle);
        raw.on('close', settle);
      });
    }
  }

  private cork(connection: Connection): void {
    if (this.corked.length === 0) setImmediate(this.flushTurn);
    connection.raw.cork();
    connection.corked = true;
    this.corked.push(connection);
  }

  private flush(): void {
    const corked = this.corked;
    this.corked = [];
    for (const connection of corked) connection.uncork();
  }
}

function isOpen({ ended, socket }: Connection): boolean {
  return !ended && socket.readyState === WebSocket.OPEN;
}
