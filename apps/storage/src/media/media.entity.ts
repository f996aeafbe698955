import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** An upload; its bytes lie on the media driver. Written and read by hand-written SQL. */
@Entity('media')
@Index('media_keep', ['keepUntil'])
export class MediaEntity {
  @PrimaryColumn('text', { name: 'conversation_id', collation: 'C' })
  conversationId!: string;

  @Index('media_id')
  @PrimaryColumn('uuid')
  id!: string;

  /** Who uploaded it; nobody else can send it. */
  @Column('uuid', { name: 'owner_id' })
  ownerId!: string;

  @Column({ type: 'text', collation: 'C' })
  kind!: 'image' | 'file';

  /** MIME type. */
  @Column('text')
  type!: string;

  /** Bytes (bigint as a decimal string). */
  @Column('bigint')
  size!: string;

  /** Pixels as shown; null for files. */
  @Column('integer', { nullable: true })
  width!: number | null;

  @Column('integer', { nullable: true })
  height!: number | null;

  /** SHA-256 of the bytes, base64url. */
  @Column('text')
  etag!: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt!: Date;

  /** Until when it stays without a message that shows it; null: messages show it. */
  @Column('timestamptz', { name: 'keep_until', nullable: true })
  keepUntil!: Date | null;

  /** It is being removed: nobody can read or send it any more. */
  @Column('boolean', { default: false })
  removing!: boolean;
}

/** A message that shows an upload; kept by a trigger on `messages`. */
@Entity('media_uses')
@Index('media_uses_media', ['conversationId', 'mediaId'])
export class MediaUseEntity {
  @PrimaryColumn('text', { name: 'conversation_id', collation: 'C' })
  conversationId!: string;

  @PrimaryColumn('uuid', { name: 'message_id' })
  messageId!: string;

  @Column('uuid', { name: 'media_id' })
  mediaId!: string;
}
