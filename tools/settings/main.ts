import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { limitsPage } from '../limits/page';
import { projectRoot } from '../stack/paths';
import { envExample, settingsPage } from './pages';

/** `npm run docs`: writes the pages that are made from code: settings and limits. */
for (const [file, text] of [
  ['docs/SETTINGS.md', settingsPage()],
  ['.env.example', envExample()],
  ['docs/LIMITS.md', limitsPage()],
] as const) {
  writeFileSync(join(projectRoot(), file), text);
  process.stdout.write(`${file} is written.\n`);
}
