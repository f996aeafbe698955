import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How far the log is applied to this database; the fence of the batch writer. */
@Entity('log_progress')
export class LogProgressEntity {
  @PrimaryColumn('text', { collation: 'C' })
  topic!: string;

  @PrimaryColumn('smallint')
  partition!: number;

  /** Raised by an operator when the log was recreated. */
  @Column('integer')
  epoch!: number;

  /** Position of the epoch's offset 0 (bigint as a decimal string). */
  @Column('bigint', { name: 'epoch_base' })
  epochBase!: string;

  /** Next offset to apply (bigint as a decimal string). */
  @Column('bigint')
  next!: string;
}
