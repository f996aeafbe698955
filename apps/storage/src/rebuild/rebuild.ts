import { Database } from '../database/database';
import type { RebuildEnv } from '../storage.env';
import { DerivedRepository } from './derived.repository';
import { type DerivedReport, rebuildDerived, wrongIn } from './rebuild-derived';

const USAGE = 'Usage: rebuild derived [--check]';
/** A page looks through all messages of its conversations. */
const STATEMENT_MS = 10 * 60_000;
const CONNECT_MS = 10_000;

/**
 * `rebuild derived [--check]`: says what it found, line by line.
 * @returns 0 when all is right now, 1 when something is not
 */
export async function rebuild(env: RebuildEnv, words: readonly string[]): Promise<number> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const [what, ...options] = words;
  const check = options.includes('--check');
  if (what !== 'derived' || options.some((option) => option !== '--check')) {
    process.stderr.write(`${USAGE}\n`);
    return 1;
  }
  const database = new Database(
    {
      url: env.DATABASE_URL,
      name: env.NODE_ID,
      connections: 1,
      connectWithin: CONNECT_MS,
      statementWithin: STATEMENT_MS,
    },
    () => undefined,
  );
  const derived = new DerivedRepository(database);
  try {
    const report = await rebuildDerived(derived, { check, tell: say });
    linesOf(report, check).forEach(say);
    if (check) return wrongIn(report) === 0 ? 0 : 1;
    const again = await rebuildDerived(derived, { check: true, tell: say });
    const left = wrongIn(again);
    say(left === 0 ? 'Looked at once more: all is right.' : `Looked at once more: ${left} wrong.`);
    return left === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await database.close();
  }
}

function linesOf(report: DerivedReport, check: boolean): string[] {
  const { conversations, wrongConversations, missingUses, surplusUses, misjudgedMedia } = report;
  const done = check ? 'wrong' : 'set right';
  const hashes = [`Before ${report.before}`, `After  ${report.after}`];
  return [
    `${conversations} conversations; last position, time or first event of ${wrongConversations} ${done}`,
    `Uploads: ${missingUses} uses missing, ${surplusUses} too many, ${misjudgedMedia} kept or watched wrongly; ${done}`,
    ...(check
      ? []
      : [
          `Forgotten, to be counted again: ${report.forgottenDigests} digests, unread of ${report.forgottenUnread} members`,
          ...hashes,
        ]),
  ];
}
