import { decodeInbox, type InboxVisitor } from '@tidings/common/redis/inbox-codec';
import type { Connection } from '../socket/connection';
import type { ConnectionTable } from '../socket/connection-table';
import { textFrame } from '../socket/text-frame';
import type { WriteQueue } from '../socket/write-queue';

export interface InboxDeliveryParts {
  table: ConnectionTable;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
  /** Writing to this connection threw: notes it and closes the connection. */
  failed(connection: Connection, error: unknown): void;
  /** A change of a conversation is about to be handed out: what was known of it is old. */
  conversationChanged(conversationId: string): void;
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

  /** Whoever is shown a change and then sends is subject to it. */
  changed(conversationId: string): void {
    this.parts.conversationChanged(conversationId);
  }

  push(connections: string[], frame: Buffer): void {
    const bytes = textFrame(frame);
    for (const id of connections) {
      const connection = this.parts.table.get(id);
      if (connection === undefined) {
        this.missed += 1;
        continue;
      }
      this.write(connection, bytes);
    }
  }

  /** One socket's trouble must not cost the others their frame. */
  private write(connection: Connection, bytes: Buffer): void {
    try {
      this.parts.writes.push(connection, bytes);
      this.delivered += 1;
    } catch (error) {
      this.parts.failed(connection, error);
    }
  }

  close(connectionId: string, code: number, reason?: string): void {
    const connection = this.parts.table.get(connectionId);
    if (connection) this.parts.close(connection, code, reason ?? '');
  }
}
