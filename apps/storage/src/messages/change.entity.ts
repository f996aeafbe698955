import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/**
 * An edit or deletion of a message, by the id that its client gave it: the first record under an id
 * counts. Written by the batch function, read by hand-written SQL.
 */
@Entity('changes', { synchronize: false })
@Unique('changes_position', ['conversationId', 'position'])
@Index('changes_message', ['conversationId', 'messageId'])
export class ChangeEntity {
  @PrimaryColumn('text', { name: 'conversation_id', collation: 'C' })
  conversationId!: string;

  @PrimaryColumn('uuid', { name: 'change_id' })
  changeId!: string;

  /** Position of the record; the version of the message when it was applied. */
  @Column('bigint')
  position!: string;

  @Column('uuid', { name: 'message_id' })
  messageId!: string;

  /** Who changed the message. */
  @Column('uuid', { name: 'user_id' })
  userId!: string;

  /** Tells two changes under one id apart; null when the message is deleted. */
  @Column({ type: 'text', nullable: true, collation: 'C' })
  hash!: string | null;
}
