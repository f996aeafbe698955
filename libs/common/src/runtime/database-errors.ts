import { TidingsError } from '@tidings/protocol/errors';

/** SQLSTATE classes (PostgreSQL, appendix A) that tell of the server's state, not of the statement. */
const TRANSIENT_CLASSES = [
  '08', // connection
  '25', // transaction state, read-only server
  '40', // serialization failure, deadlock
  '53', // out of disk, memory or connections
  '55', // lock not available
  '57', // shut down, cancelled, starting
  '58', // input or output error
  'XX', // internal error
];

/** Whether the same statement may succeed later: the database was away, busy or interrupted. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  // Without SQLSTATE the failure is the connection's or the pool's: nothing was said about the data.
  return state === null || TRANSIENT_CLASSES.includes(state.slice(0, 2));
}

/** Whether the database was away, busy or interrupted; not what our own code says, as of a call. */
export function isAway(error: unknown): boolean {
  return !(error instanceof TidingsError) && isDatabaseError(error) && isTransient(error);
}

/** A failed statement as our error when the database is away; every other error as it is. */
export function asUnavailable(error: unknown): unknown {
  if (!isAway(error)) return error;
  return new TidingsError('unavailable', {
    detail: 'The database is not available right now',
    cause: error,
  });
}

/** SQLSTATE of an error of pg, or of TypeORM around it; null when it has none. */
export function sqlState(error: unknown): string | null {
  const { code } = driverError(error);
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** Errors of sockets and of pg's client and pool, which carry no SQLSTATE. */
const CONNECTION_ERRORS =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN)|timeout|terminated|not queryable|closed|ended|end on the pool/i;

function isDatabaseError(error: unknown): boolean {
  if (sqlState(error) !== null) return true;
  const { code, message } = driverError(error);
  return CONNECTION_ERRORS.test(String(code ?? '')) || CONNECTION_ERRORS.test(message ?? '');
}

interface DriverError {
  code?: unknown;
  constraint?: string;
  message?: string;
}

function driverError(error: unknown): DriverError {
  const wrapper = error as { driverError?: DriverError } | null;
  return wrapper?.driverError ?? (error as DriverError | null) ?? {};
}
