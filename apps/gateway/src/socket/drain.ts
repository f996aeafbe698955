import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { GatewayAddress } from '@tidings/protocol/http';
import type { Connection } from './connection';
import type { ConnectionTable } from './connection-table';
import { goodbyeFrameText } from './server-frames';
import type { WriteQueue } from './write-queue';
import { pause } from '@tidings/common/runtime/waiting';

/** Clients leave spread over this time, milliseconds. */
const SPREAD_MS = 2_000;
/** How long they may take in all, and for the closing handshake. */
const LEAVE_MS = 3_000;
const CLOSE_MS = 1_000;
const POLL_MS = 50;

export interface DrainParts {
  table: ConnectionTable;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
  random: () => number;
}

/** Sends this gateway's clients elsewhere before it stops. */
export class Drain {
  constructor(private readonly parts: DrainParts) {}

  /** Says goodbye to all, with a random delay for each, and waits until most have left. */
  async sayGoodbye(gateways: readonly GatewayAddress[]): Promise<void> {
    const { table, writes, random } = this.parts;
    for (const connection of table.all()) {
      writes.send(connection, goodbyeFrameText(Math.floor(random() * SPREAD_MS), gateways));
    }
    await this.until(() => table.size === 0, LEAVE_MS);
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
