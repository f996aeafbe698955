import type { Screen } from './screen';

/**
 * Asks before something that cannot be taken back. A script has decided already: it is told only what
 * is done.
 */
export async function confirmed(screen: Screen, question: string): Promise<boolean> {
  if (!screen.interactive) {
    screen.print(screen.style.dim(`  ${question.replace(/\?$/, '')}: done without asking`));
    return true;
  }
  const answer = ((await screen.ask(`${question} [y/N]`)) ?? '').trim().toLowerCase();
  if (['y', 'yes'].includes(answer)) return true;
  screen.print(screen.style.dim('  nothing is changed'));
  return false;
}
