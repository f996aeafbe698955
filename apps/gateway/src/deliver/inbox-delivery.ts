import { decodeInbox, type InboxVisitor } from '@tidings/common/redis/inbox-codec';
import type { Connection } from '../socket/connection';
import type { ConnectionTable } from '../socket/connection-table';
import type { WriteQueue } from '../socket/write-queue';

export interface InboxDeliveryParts {
  table: ConnectionTable;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
}

/**
 * Carries out what session and others put into this gateway's inbox: writes encoded frames to local
 * sockets, closes connections. Connections that are gone are skipped.
 */
export class InboxDelivery implements InboxVisitor {
  /** Frames written to sockets, and those for connections that are gone; plain counts. */
  delivered = 0;
  missed = 0;
  skipped = 0;

  constructor(private readonly parts: InboxDeliveryParts) {}

  /** Carries out one entry. */
  take(payload: Buffer): void {
    this.skipped += decodeInbox(payload, this);
  }

  push(connections: string[], frame: Buffer): void {
    for (const id of connections) {
      const connection = this.parts.table.get(id);
      if (connection === undefined) {
        this.missed += 1;
        continue;
      }
      this.parts.writes.push(connection, frame);
      this.delivered += 1;
    }
  }

  close(connectionId: string, code: number, reason?: string): void {
    const connection = this.parts.table.get(connectionId);
    if (connection) this.parts.close(connection, code, reason ?? '');
  }
}
