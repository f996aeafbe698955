import type { SqlFunction } from './database/sql-function';
import { APPLY_LOG_BATCHES } from './messages/apply-log-batches.sql';

/** All functions of the database that this version calls; `prepare` installs them. */
export const SQL_FUNCTIONS: readonly SqlFunction[] = [APPLY_LOG_BATCHES];
