import { EnvironmentError } from './env';

/** The settings of PostgreSQL without which it acknowledges what a crash takes away. */
const SETTINGS = ['fsync', 'synchronous_commit'] as const;

const STATEMENT = `SELECT ${SETTINGS.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`;

/** Throws {@link EnvironmentError} for a database that may lose what it has acknowledged. */
export async function refuseLostCommits(
  rows: (statement: string) => Promise<Partial<Record<string, string>>[]>,
): Promise<void> {
  const [found = {}] = await rows(STATEMENT);
  const off = SETTINGS.filter((name) => found[name] === 'off');
  if (off.length === 0) return;
  const what = `leads to a server with ${off.join(' and ')} off`;
  throw new EnvironmentError([`DATABASE_URL ${what}: what it acknowledges may be lost.`]);
}
