import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** A change of a conversation that is in PostgreSQL and not yet known to be in the log. */
@Entity('outbox')
@Unique('outbox_version', ['conversationId', 'version'])
export class OutboxEntity {
  /** Id of the event's record: however often it is appended, it is one entry. */
  @PrimaryColumn('uuid', { name: 'message_id' })
  messageId!: string;

  @Column({ type: 'text', name: 'conversation_id', collation: 'C' })
  conversationId!: string;

  /** Version of the conversation after the change: they are appended in this order. */
  @Column('integer')
  version!: number;

  /** The event as JSON text. */
  @Column('text')
  event!: string;

  /** How often an append was begun; from the second time on the record is marked `again`. */
  @Column('integer', { default: 0 })
  attempts!: number;

  /** When the sweep appends it, should nobody have done so. */
  @Index('outbox_due')
  @Column('timestamptz', { name: 'due_at' })
  dueAt!: Date;
}
