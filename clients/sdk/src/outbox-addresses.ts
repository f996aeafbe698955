import type { OutboxRecord } from './outbox-store';

/** Name of the lane for messages with the same destination. */
export function laneKey(record: Pick<OutboxRecord, 'conversationId' | 'to'>): string {
  return record.to !== undefined ? `to:${record.to}` : record.conversationId!;
}

/** Which direct conversation belongs to which user, and how messages to it are addressed. */
export class OutboxAddresses {
  /** Direct conversations by the other user, and the reverse. */
  private readonly directs = new Map<string, string>();
  private readonly peers = new Map<string, string>();

  /** Learns the id of the direct conversation with this user. */
  resolve(userId: string, conversationId: string): void {
    this.directs.set(userId, conversationId);
    this.peers.set(conversationId, userId);
  }

  /** The conversation that a message goes to; undefined: that of its user is not known yet. */
  conversation({ to, conversationId }: OutboxRecord): string | undefined {
    return conversationId ?? this.directs.get(to!);
  }

  /**
   * While the first messages of a direct conversation are addressed to the user (`inUse` says so
   * for a lane), later ones are too: the gateway keeps order and refusals by what the frame names.
   */
  address(record: OutboxRecord, inUse: (lane: string) => boolean): OutboxRecord {
    const userId = record.to ?? this.peers.get(record.conversationId!);
    if (userId === undefined) return record;
    if (inUse(laneKey({ to: userId }))) return { ...record, to: userId, conversationId: undefined };
    const conversationId = record.conversationId ?? this.directs.get(userId);
    return conversationId === undefined ? record : { ...record, to: undefined, conversationId };
  }
}
