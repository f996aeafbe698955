import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { UserEntity } from './user.entity';

/** One device of a user and the state of its session. */
@Entity('devices')
export class DeviceEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Index('devices_user')
  @ForeignKey(() => UserEntity, { name: 'devices_user_id_fkey', onDelete: 'CASCADE' })
  @Column('uuid', { name: 'user_id' })
  userId!: string;

  @Column('text', { nullable: true })
  name!: string | null;

  /** A token is valid while its generation equals this one (bigint as a decimal string). */
  @Column('bigint', { name: 'session_generation' })
  sessionGeneration!: string;

  /** Sequence of the refresh token issued last. */
  @Column('integer', { name: 'refresh_sequence' })
  refreshSequence!: number;

  /** The highest sequence whose pair was used; tokens below it are spent. */
  @Column('integer', { name: 'confirmed_sequence' })
  confirmedSequence!: number;

  @Column('boolean', { name: 'logged_in' })
  loggedIn!: boolean;

  @Column('timestamptz', { name: 'last_seen', default: () => 'now()' })
  lastSeen!: Date;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
