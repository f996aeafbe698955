import type { Connection } from '../socket/connection';
import type { ConnectionTable } from '../socket/connection-table';
import { textFrame } from '../socket/text-frame';

/** Sockets that are written to in one turn of the event loop. */
const SOCKETS_PER_TURN = 250;
/** Frames that are on their way to all sockets at a time; the oldest is written at once when there are more. */
const MOST = 16;
/** How many of the latest are kept for connections whose read barrier is on its way. */
const KEPT = 16;

export interface EveryoneDeliveryParts {
  table: Pick<ConnectionTable, 'all'>;
  /** Writes an encoded frame; never throws. */
  write(connection: Connection, bytes: Buffer): void;
}

/** A frame for everybody: its position in the log, and its encoding, which all sockets share. */
interface Frame {
  position: bigint;
  bytes: Buffer;
}

/**
 * Writes what is for everybody to all sockets of this gateway, some in each turn, so that nothing else is
 * held up. Each socket gets it once: session may hand it on again, and what is below the barrier of a
 * socket's `sync` comes with that answer. A socket that has not asked `sync` yet gets nothing here, so that
 * nobody is pushed what was written before they registered.
 */
export class EveryoneDelivery {
  /** Positions rise: what is not above this one was handed out before. */
  private last = 0n;
  private readonly running: (Frame & { left: Set<Connection> })[] = [];
  private readonly kept: Frame[] = [];
  private scheduled = false;
  private readonly turn = (): void => {
    this.scheduled = false;
    this.step();
  };

  constructor(private readonly parts: EveryoneDeliveryParts) {}

  /** Whether some sockets are still to be written to. */
  get busy(): boolean {
    return this.running.length > 0;
  }

  /** Takes a frame; false: it was here before. */
  take(position: bigint, payload: Buffer): boolean {
    if (position <= this.last) return false;
    this.last = position;
    const bytes = textFrame(payload);
    this.kept.push({ position, bytes });
    if (this.kept.length > KEPT) this.kept.shift();
    const left = new Set<Connection>();
    for (const connection of this.parts.table.all()) {
      const { everyoneFrom } = connection;
      if (everyoneFrom !== null && everyoneFrom <= position) left.add(connection);
    }
    this.running.push({ position, bytes, left });
    if (this.running.length > MOST) this.writeAll(this.running.shift()!);
    this.schedule();
    return true;
  }

  /**
   * The barrier of a `sync` of this connection was taken: what lies at or above this position is pushed from
   * now on, and what of that came while the barrier was on its way.
   */
  barrierTaken(connection: Connection, position: bigint): void {
    const before = connection.everyoneFrom;
    if (before !== null) {
      if (position > before) connection.everyoneFrom = position;
      return;
    }
    connection.everyoneFrom = position;
    for (const frame of this.kept) {
      if (frame.position >= position) this.parts.write(connection, frame.bytes);
    }
  }

  /** Something else is about to be written to this connection: what came before goes first. */
  goFirst(connection: Connection): void {
    for (const { left, bytes } of this.running) {
      if (left.delete(connection)) this.parts.write(connection, bytes);
    }
  }

  private schedule(): void {
    if (this.scheduled || this.running.length === 0) return;
    this.scheduled = true;
    setImmediate(this.turn);
  }

  private step(): void {
    let room = SOCKETS_PER_TURN;
    while (room > 0 && this.running.length > 0) {
      const { left, bytes } = this.running[0]!;
      for (const connection of left) {
        if (room-- === 0) break;
        left.delete(connection);
        this.parts.write(connection, bytes);
      }
      if (left.size === 0) this.running.shift();
    }
    this.schedule();
  }

  private writeAll({ left, bytes }: { left: Set<Connection>; bytes: Buffer }): void {
    for (const connection of left) this.parts.write(connection, bytes);
  }
}
