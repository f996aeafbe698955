import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';
import type { HistoryMode } from '@tidings/protocol/content';
import type { ConversationKind } from '@tidings/protocol/content';

/** A conversation. Positions are bigints as decimal strings. */
@Entity('conversations')
@Check('conversations_kind_check', `kind IN ('direct', 'group', 'everyone')`)
@Check('conversations_history_check', `history IN ('joined', 'all')`)
@Unique('conversations_direct_key', ['directKey'])
@Index('conversations_request', ['createdBy', 'requestId'], {
  unique: true,
  where: '(request_id IS NOT NULL)',
})
export class ConversationEntity {
  @PrimaryColumn('text', { collation: 'C' })
  id!: string;

  @Column('text')
  kind!: ConversationKind;

  @Column('text', { nullable: true })
  title!: string | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('uuid', { name: 'created_by' })
  createdBy!: string;

  @Column('text', { name: 'request_id', nullable: true })
  requestId!: string | null;

  /** Both users of a direct conversation, sorted: one conversation per pair. */
  @Column({ type: 'text', name: 'direct_key', nullable: true, collation: 'C' })
  directKey!: string | null;

  /** Rises by one with each change. */
  @Column('integer')
  version!: number;

  /** Partition of the log. */
  @Column('smallint')
  partition!: number;

  /** Position of its creation; null until that is in the log. */
  @Column('bigint', { name: 'created_position', nullable: true })
  createdPosition!: string | null;

  /** Position of the last applied entry, "0" for none. */
  @Column('bigint', { name: 'last_position', default: 0 })
  lastPosition!: string;

  /** Time of the last entry. */
  @Column('timestamptz', { name: 'last_at' })
  lastAt!: Date;

  @Column('integer', { name: 'message_ttl_seconds', nullable: true })
  messageTtlSeconds!: number | null;

  /** What members who are added later see. */
  @Column('text', { default: 'joined' })
  history!: HistoryMode;

  /** Direct only: rises with each change of the blocks between its two users. */
  @Column('integer', { name: 'blocks_version', default: 0 })
  blocksVersion!: number;

  /** State digest of its last messages, as it was at `digestPosition`; null: not known. */
  @Column({ type: 'text', nullable: true, collation: 'C' })
  digest!: string | null;

  /** `lastPosition` when the digest was computed: it holds while they are equal. */
  @Column('bigint', { name: 'digest_position', nullable: true })
  digestPosition!: string | null;

  /** Position of the digest's oldest message: for members who see it. */
  @Column('bigint', { name: 'digest_from', nullable: true })
  digestFrom!: string | null;

  /** When the digest was computed: before, other messages may have been alive. */
  @Column('timestamptz', { name: 'digest_since', nullable: true })
  digestSince!: Date | null;

  /** When the first of the digest's messages expires; null: none does. */
  @Column('timestamptz', { name: 'digest_until', nullable: true })
  digestUntil!: Date | null;
}
