import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { Others } from '../directory/directory.service';
import type { Connection } from './connection';
import type { ConnectionTable } from './connection-table';
import { goodbyeFrameText } from './server-frames';
import type { WriteQueue } from './write-queue';
import { pause } from '@tidings/common/runtime/waiting';

/** Clients leave spread over this time at least, milliseconds. */
const SPREAD_MS = 2_000;
/** How long the last of them may take, and the closing handshake. */
const LEAVE_MS = 1_000;
const CLOSE_MS = 1_000;
const POLL_MS = 50;

export interface DrainParts {
  table: ConnectionTable;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
  random: () => number;
  /** Longest time over which clients leave, milliseconds. */
  drainMs: number;
}

/** Sends this gateway's clients elsewhere before it stops. */
export class Drain {
  constructor(private readonly parts: DrainParts) {}

  /**
   * Says goodbye to all, with a random delay for each: no more go at once than the others let in. Waits
   * until they have left.
   */
  async sayGoodbye({ gateways, connectsPerSecond }: Others): Promise<void> {
    const { table, writes, random, drainMs } = this.parts;
    const spreadMs = spreadOf(table.size, connectsPerSecond, drainMs);
    for (const connection of table.all()) {
      connection.sentOff = true;
      writes.send(connection, goodbyeFrameText(Math.floor(random() * spreadMs), gateways));
    }
    await this.until(() => table.size === 0, spreadMs + LEAVE_MS);
  }

  /** Closes whoever is still here and cuts off those that do not answer. */
  async closeAll(): Promise<void> {
    const left = [...this.parts.table.all()];
    for (const connection of left) {
      this.parts.close(connection, CLOSE_CODES.draining, 'the gateway stops');
    }
    await this.until(() => left.every((c) => c.raw.destroyed), CLOSE_MS);
    for (const connection of left) connection.socket.terminate();
  }

  private async until(done: () => boolean, withinMs: number): Promise<void> {
    const giveUpAt = performance.now() + withinMs;
    while (!done() && performance.now() < giveUpAt) {
      await pause(POLL_MS);
    }
  }
}

/** Over which time so many sockets leave, milliseconds. Nobody waits for others that there are not. */
export function spreadOf(sockets: number, connectsPerSecond: number, mostMs: number): number {
  const neededMs = connectsPerSecond > 0 ? (sockets / connectsPerSecond) * 1000 : 0;
  return Math.max(Math.min(SPREAD_MS, mostMs), Math.min(neededMs, mostMs));
}

/** How long saying goodbye and closing may take in all, milliseconds. */
export function drainWithinMs(drainMs: number): number {
  return drainMs + LEAVE_MS + CLOSE_MS;
}
