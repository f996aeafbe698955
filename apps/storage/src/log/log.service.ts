import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { LogState, readApplied } from './log-state';

/** Tells other services how offsets become positions and how far they are applied. */
@Injectable()
export class LogService {
  constructor(
    private readonly database: Database,
    private readonly log: LogState,
  ) {}

  /** Epoch, position of offset 0 and next offset to apply, per partition. */
  async state(): Promise<{ epoch: number; bases: string[]; applied: string[] }> {
    const applied = await readApplied(this.database, this.log.topic);
    const { epoch, bases } = this.log;
    return { epoch, bases: bases.map(String), applied: applied.map(String) };
  }
}
