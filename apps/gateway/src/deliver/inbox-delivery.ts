import { decodeInbox, type InboxVisitor } from '@tidings/common/redis/inbox-codec';
import { presence } from '@tidings/protocol/http';
import { parsedJson } from '@tidings/protocol/json';
import { JoinedReceipts } from '../lanes/joined-receipts';
import type { LaneMetrics } from '../lanes/lane.metrics';
import type { Lanes } from '../lanes/lanes';
import { laneOf, readReceipt } from '../lanes/lossy-frame';
import type { Watches } from '../presence/watches';
import type { Connection } from '../socket/connection';
import type { ConnectionTable } from '../socket/connection-table';
import { EveryoneDelivery } from './everyone-delivery';
import { textFrame } from '../socket/text-frame';
import type { WriteQueue } from '../socket/write-queue';

export interface InboxDeliveryParts {
  table: ConnectionTable;
  writes: WriteQueue;
  close(connection: Connection, code: number, reason: string): void;
  /** Writing to this connection threw: notes it and closes the connection. */
  failed(connection: Connection, error: unknown): void;
  /** Whether this user may be shown what tells of that one's presence. Never rejects. */
  mayShow(viewerId: string, userId: string): Promise<boolean>;
  /** A change of a conversation is about to be handed out: what was known of it is old. */
  conversationChanged(conversationId: string): void;
  /** Unix milliseconds. */
  wallClock: () => number;
  /** Who of this gateway's sockets watches whom. */
  watches: Pick<Watches, 'changed' | 'judgeAgain'>;
  lanes: Pick<Lanes, 'sheds'>;
  metrics: Pick<LaneMetrics, 'withheld' | 'joined'>;
}

/**
 * Carries out what session and others put into this gateway's inbox: writes encoded frames to local
 * sockets, closes connections. Connections that are gone are skipped. While lanes are shed it hands out
 * nobody's typing, and receipts joined.
 */
export class InboxDelivery implements InboxVisitor {
  /** Frames written to sockets, and those for connections that are gone; plain counts. */
  delivered = 0;
  missed = 0;
  skipped = 0;
  /** Frames that waited in the inbox until what they show was over. */
  expired = 0;

  /** Frames for everybody that were handed out before. */
  repeated = 0;

  /** What is for everybody. */
  readonly everyone: EveryoneDelivery;
  private readonly receipts = new JoinedReceipts({
    write: (connection, bytes) => this.write(connection, bytes),
  });

  constructor(private readonly parts: InboxDeliveryParts) {
    this.everyone = new EveryoneDelivery({
      table: parts.table,
      write: (connection, bytes) => this.writeNow(connection, bytes),
    });
  }

  /** Other lanes are shed than before: tells all clients by this encoded frame, and what waited leaves. */
  lanesChanged(frame: Buffer): void {
    for (const connection of this.parts.table.all()) {
      // who has no `welcome` yet is told behind it
      if (connection.welcomed) this.write(connection, frame);
    }
    if (!this.parts.lanes.sheds('receipts')) this.receipts.flush();
  }

  /** Carries out one entry. */
  take(payload: Buffer): void {
    const skipped = decodeInbox(payload, this);
    this.skipped += skipped;
  }

  /**
   * Whoever is shown a change and then sends is subject to it. Receipts that waited leave before it: a
   * removal is the last that a removed member hears.
   */
  changed(conversationId: string): void {
    this.receipts.flush();
    this.parts.conversationChanged(conversationId);
  }

  /** A frame may have waited long, while Redis was away or this process hung: whoever misses it sees a gap. */
  push(connections: string[], frame: Buffer, untilMs: number | null): void {
    if (untilMs !== null && untilMs <= this.parts.wallClock()) {
      this.expired += connections.length;
      return;
    }
    // the first lane is shed whenever any is
    if (this.parts.lanes.sheds('typing') && this.isShed(connections, frame)) return;
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

  /** Written as soon as it is known that the viewer may see it, so maybe behind what came after it. */
  tells(of: string, connections: string[], frame: Buffer): void {
    const bytes = textFrame(frame);
    for (const connection of this.found(connections)) {
      void this.parts.mayShow(connection.userId, of).then((may) => {
        if (may && !connection.ended) this.write(connection, bytes);
      });
    }
  }

  /** Whether a push was dropped, or waits for others. */
  private isShed(ids: readonly string[], frame: Buffer): boolean {
    const { lanes, metrics } = this.parts;
    const lane = laneOf(frame);
    if (lane === null || !lanes.sheds(lane)) return false;
    if (lane === 'typing') {
      metrics.withheld(lane, ids.length);
      return true;
    }
    const receipt = readReceipt(frame);
    if (!receipt) return false;
    this.receipts.take(this.found(ids), receipt);
    metrics.joined(lane, ids.length);
    return true;
  }

  private found(ids: readonly string[]): Connection[] {
    const found: Connection[] = [];
    for (const id of ids) {
      const connection = this.parts.table.get(id);
      if (connection) found.push(connection);
      else this.missed += 1;
    }
    return found;
  }

  all(position: bigint, frame: Buffer): void {
    if (!this.everyone.take(position, frame)) this.repeated += 1;
  }

  /** What is on its way to everybody came before. */
  private write(connection: Connection, bytes: Buffer): void {
    if (this.everyone.busy) this.everyone.goFirst(connection);
    this.writeNow(connection, bytes);
  }

  /** One socket's trouble must not cost the others their frame. */
  private writeNow(connection: Connection, bytes: Buffer): void {
    try {
      this.parts.writes.push(connection, bytes);
      this.delivered += 1;
    } catch (error) {
      this.parts.failed(connection, error);
    }
  }

  presence(_userId: string, body: Buffer): void {
    const { data } = presence.safeParse(parsedJson(body.toString()));
    if (data) this.parts.watches.changed(data);
    else this.skipped += 1;
  }

  /** Marks from before a block are not told behind it. */
  judge(userId: string): void {
    this.receipts.flush();
    this.parts.watches.judgeAgain(userId);
  }

  close(connectionId: string, code: number, reason?: string): void {
    const connection = this.parts.table.get(connectionId);
    if (connection) this.parts.close(connection, code, reason ?? '');
  }
}
