import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** `userId` has `contactId` in the list of contacts. */
@Entity('contacts')
@Index('contacts_incoming', ['contactId', 'userId'])
export class ContactEntity {
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId!: string;

  @PrimaryColumn('uuid', { name: 'contact_id' })
  contactId!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;
}
