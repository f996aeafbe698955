import type { Privacy } from '@tidings/protocol/http';
import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A person with an account. */
@Entity('users')
@Unique('users_username_key', ['usernameKey'])
@Unique('users_email_key', ['emailKey'])
@Check('users_privacy_last_seen_check', `privacy_last_seen IN ('everyone', 'contacts', 'nobody')`)
@Check('users_privacy_messages_check', `privacy_messages IN ('everyone', 'contacts')`)
@Check('users_privacy_groups_check', `privacy_groups IN ('everyone', 'contacts')`)
export class UserEntity {
  @PrimaryColumn('uuid')
  id!: string;

  /** As typed. */
  @Column('text')
  username!: string;

  /** As compared: see `domain/username`. */
  @Column({ type: 'text', name: 'username_key', collation: 'C' })
  usernameKey!: string;

  /** As typed. */
  @Column('text')
  email!: string;

  /** As compared: lower case. */
  @Column({ type: 'text', name: 'email_key', collation: 'C' })
  emailKey!: string;

  @Column('text', { name: 'first_name' })
  firstName!: string;

  @Column('text', { name: 'last_name', nullable: true })
  lastName!: string | null;

  /** PHC string of argon2id. Never read together with the rest of the row. */
  @Column('text', { name: 'password_hash', select: false })
  passwordHash!: string;

  /** Raised by what ends all logins of a user (bigint as a decimal string). */
  @Column('bigint', { name: 'login_generation', default: 1 })
  loginGeneration!: string;

  @Column({ type: 'text', name: 'privacy_last_seen', default: 'everyone' })
  privacyLastSeen!: Privacy['lastSeen'];

  @Column({ type: 'boolean', name: 'privacy_read_receipts', default: true })
  privacyReadReceipts!: boolean;

  @Column({ type: 'text', name: 'privacy_messages', default: 'everyone' })
  privacyMessages!: Privacy['messages'];

  @Column({ type: 'text', name: 'privacy_groups', default: 'everyone' })
  privacyGroups!: Privacy['groups'];

  @Column({ type: 'boolean', name: 'privacy_find_by_email', default: false })
  privacyFindByEmail!: boolean;

  /** Since when it cannot be used; null: it can. */
  @Column('timestamptz', { name: 'disabled_at', nullable: true })
  disabledAt!: Date | null;

  /** Wrong passwords since the last change of the password. */
  @Column('integer', { name: 'failed_logins', default: 0 })
  failedLogins!: number;

  @Column('timestamptz', { name: 'failed_login_at', nullable: true })
  failedLoginAt!: Date | null;

  /** Position of the conversation of everybody at the registration: what came later is this user's to see. */
  @Column('bigint', { name: 'everyone_from', default: 0, select: false })
  everyoneFrom!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
