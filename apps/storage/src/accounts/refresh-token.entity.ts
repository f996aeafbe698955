import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { DeviceEntity } from './device.entity';

/** A refresh token that was issued, spent ones included: their re-use gives a thief away. */
@Entity('refresh_tokens')
@Index('refresh_tokens_device', ['deviceId', 'sequence'])
export class RefreshTokenEntity {
  /** SHA-256 of the token. */
  @PrimaryColumn('bytea')
  hash!: Buffer;

  @ForeignKey(() => DeviceEntity, { name: 'refresh_tokens_device_id_fkey', onDelete: 'CASCADE' })
  @Column('uuid', { name: 'device_id' })
  deviceId!: string;

  /** The family: the device's session that it belongs to (bigint as a decimal string). */
  @Column('bigint', { name: 'session_generation' })
  sessionGeneration!: string;

  @Column('integer')
  sequence!: number;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt!: Date;
}
