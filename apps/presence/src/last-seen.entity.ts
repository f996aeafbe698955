import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The PostgreSQL schema that belongs to this service alone. */
export const PRESENCE_SCHEMA = 'presence';

/** A user's clocks. None of them ever goes back. */
@Entity({ schema: PRESENCE_SCHEMA, name: 'last_seen' })
export class LastSeenEntity {
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId!: string;

  /** Last sign of life. */
  @Column('timestamptz', { name: 'last_seen_at' })
  lastSeenAt!: Date;

  /** Last time that the user did something. */
  @Column('timestamptz', { name: 'active_at', nullable: true })
  activeAt!: Date | null;

  /** Last time that an app of the user was known to be connected. */
  @Column('timestamptz', { name: 'connected_at', nullable: true })
  connectedAt!: Date | null;
}
