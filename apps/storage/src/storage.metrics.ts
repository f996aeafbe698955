import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Database } from './database/database';
import type { Progress } from './log/progress';
import type { PasswordHasher } from './accounts/password-hasher';
import type { LoginAnnouncer } from './accounts/login-announcer';

/** Gauges that are read when somebody looks at `/metrics`. */
export function watchStorage(
  metrics: Metrics,
  parts: {
    database: Database;
    progress: Progress;
    hasher: PasswordHasher;
    announcer: LoginAnnouncer;
  },
): void {
  const gauge = (name: string, help: string, collect: () => number): void => {
    metrics.gauge(`storage_${name}`, help, { collect });
  };
  const { database, progress, hasher, announcer } = parts;
  gauge('connections_busy', 'Database connections in use', () => database.load().busy);
  gauge(
    'connections_wanted',
    'Callers that wait for a database connection',
    () => database.load().waiting,
  );
  gauge('progress_waiters', 'Callers that wait for the log to be applied', () => progress.waiting);
  gauge('hashes_refused', 'Passwords that were refused as busy', () => hasher.refused);
  gauge('hashes_waiting', 'Passwords that wait to be hashed', () => hasher.queued);
  gauge('sessions_unannounced', 'Logins that Redis does not know yet', () => announcer.pending);
}
