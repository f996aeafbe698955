import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { UserEntity } from '../accounts/user.entity';

/** `userId` takes no direct messages from `blockedId`. */
@Entity('blocks')
@Index('blocks_blocked', ['blockedId', 'userId'])
export class BlockEntity {
  @ForeignKey(() => UserEntity, { name: 'blocks_user_id_fkey', onDelete: 'CASCADE' })
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId!: string;

  @ForeignKey(() => UserEntity, { name: 'blocks_blocked_id_fkey', onDelete: 'CASCADE' })
  @PrimaryColumn('uuid', { name: 'blocked_id' })
  blockedId!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
