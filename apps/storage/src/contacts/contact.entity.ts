import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { UserEntity } from '../accounts/user.entity';

/** `userId` has `contactId` in the list of contacts. */
@Entity('contacts')
@Index('contacts_incoming', ['contactId', 'userId'])
export class ContactEntity {
  @ForeignKey(() => UserEntity, { name: 'contacts_user_id_fkey', onDelete: 'CASCADE' })
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId!: string;

  @ForeignKey(() => UserEntity, { name: 'contacts_contact_id_fkey', onDelete: 'CASCADE' })
  @PrimaryColumn('uuid', { name: 'contact_id' })
  contactId!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
