import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/**
 * An entry of a conversation's history; hash-partitioned by conversation. Written by the batch
 * function, read by hand-written SQL: this class documents the columns.
 */
@Entity('messages', { synchronize: false })
@Unique('messages_position', ['conversationId', 'position'])
export class MessageEntity {
  @PrimaryColumn('text', { name: 'conversation_id', collation: 'C' })
  conversationId!: string;

  @PrimaryColumn('uuid', { name: 'message_id' })
  messageId!: string;

  /** Position of the first append (bigint as a decimal string). */
  @Column('bigint')
  position!: string;

  /** Position of the last change, "0" for none. */
  @Column('bigint', { default: 0 })
  version!: string;

  @Column('uuid', { name: 'sender_id' })
  senderId!: string;

  @Column('timestamptz', { name: 'sent_at' })
  sentAt!: Date;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  /** Kind of the content; `event` is written by the server. */
  @Column({ type: 'text', collation: 'C' })
  kind!: string;

  @Column('boolean', { default: false })
  deleted!: boolean;

  /** Tells two first appends under one id apart; null for events and deleted messages. */
  @Column({ type: 'text', name: 'content_hash', nullable: true, collation: 'C' })
  contentHash!: string | null;

  /** JSON text, as it was appended; null when deleted. */
  @Column('text', { nullable: true })
  content!: string | null;

  /** Begin of the transaction that wrote the row; null: written before such times were kept. */
  @Column('timestamptz', { name: 'stored_at', nullable: true, default: () => 'now()' })
  storedAt!: Date | null;

  /** JSON text of `replyTo`, `mentions` and `meta`; null when there are none. */
  @Column('text', { nullable: true })
  extras!: string | null;
}
