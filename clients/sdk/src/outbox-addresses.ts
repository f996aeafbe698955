import type { OutboxRecord } from './outbox-store';

/** Name of the lane of messages that go to one place. */
export function laneKey(record: Pick<OutboxRecord, 'conversationId' | 'to'>): string {
  return record.to !== undefined ? `to:${record.to}` : record.conversationId!;
}

/** Which direct conversation is whose, and how messages to it are addressed. */
export class OutboxAddresses {
  /** Direct conversations by the other user, and the other way round. */
  private readonly directs = new Map<string, string>();
  private readonly peers = new Map<string, string>();

  /** Learns that the direct conversation with this user has this id. */
  resolve(userId: string, conversationId: string): void {
    this.directs.set(userId, conversationId);
    this.peers.set(conversationId, userId);
  }

  /** The conversation that a message goes to; undefined: its user's is not known yet. */
  conversation({ to, conversationId }: OutboxRecord): string | undefined {
    return conversationId ?? this.directs.get(to!);
  }

  /**
   * While a direct conversation's first messages go out by user (`inUse` says so of a lane), later
   * ones do too: the gateway keeps order and refusals by what the frame names.
   */
  address(record: OutboxRecord, inUse: (lane: string) => boolean): OutboxRecord {
    const userId = record.to ?? this.peers.get(record.conversationId!);
    if (userId === undefined) return record;
    if (inUse(laneKey({ to: userId }))) return { ...record, to: userId, conversationId: undefined };
    const conversationId = record.conversationId ?? this.directs.get(userId);
    return conversationId === undefined ? record : { ...record, to: undefined, conversationId };
  }
}
