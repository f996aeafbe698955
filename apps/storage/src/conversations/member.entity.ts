import type { MemberRole } from '@tidings/protocol/content';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A member sees positions in (from, until]. Positions are bigints as decimal strings. */
@Entity('members')
@Check('members_role_check', `role IN ('owner', 'admin', 'member')`)
@Index('members_user', ['userId', 'conversationId'])
export class MemberEntity {
  @PrimaryColumn('text', { name: 'conversation_id', collation: 'C' })
  conversationId!: string;

  @PrimaryColumn('uuid', { name: 'user_id' })
  userId!: string;

  @Column('text')
  role!: MemberRole;

  /** Null: the addition is not in the log yet. */
  @Column('bigint', { name: 'from_position', nullable: true })
  fromPosition!: string | null;

  /** Null: still a member, unless a removal is pending. */
  @Column('bigint', { name: 'until_position', nullable: true })
  untilPosition!: string | null;

  /** The last change of this row is not in the log yet. */
  @Column('boolean', { default: false })
  pending!: boolean;

  /** Version of the conversation that began or ended this membership last: whose record settles it. */
  @Column('integer', { name: 'changed_version', default: 1 })
  changedVersion!: number;

  /** Position of the record that added the member, "0" for founders; `from` may lie before it. */
  @Column('bigint', { name: 'joined_position', default: 0 })
  joinedPosition!: string;

  /** Watermark as the member sent it; capped when read. */
  @Column('bigint', { default: 0 })
  delivered!: string;

  @Column('bigint', { default: 0 })
  read!: string;

  /** Unread messages, as they were at `unreadPosition`; null: not known. */
  @Column('integer', { nullable: true })
  unread!: number | null;

  /** The conversation's last position when they were counted: the count holds while it is the same. */
  @Column('bigint', { name: 'unread_position', nullable: true })
  unreadPosition!: string | null;

  /** The mark above which was counted: the count holds while it is the same. */
  @Column('bigint', { name: 'unread_after', nullable: true })
  unreadAfter!: string | null;

  /** When the first of those that were counted expires; null: none does. */
  @Column('timestamptz', { name: 'unread_until', nullable: true })
  unreadUntil!: Date | null;
  /** When `delivered` rose last; null: never, or before such times were kept. */
  @Column('timestamptz', { name: 'delivered_at', nullable: true })
  deliveredAt!: Date | null;

  /** When `read` rose last. */
  @Column('timestamptz', { name: 'read_at', nullable: true })
  readAt!: Date | null;
}
