import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventsPage } from '../events/page';
import { readFigures } from '../figures/figure-file';
import { FIGURES, sourcesOf } from '../figures/list';
import { changedSince, withFigures } from '../figures/page';
import { hashesOf } from '../figures/sources';
import { metricsPage } from '../metrics/page';
import { limitsPage } from '../limits/page';
import { readFaultRuns } from '../faults/fault-code';
import { withFaultRuns } from '../faults/fault-runs';
import { projectRoot } from '../stack/paths';
import { envExample, settingsPage } from './pages';

/** `npm run docs`: writes what is made from code (settings, limits, events, metrics) and from what was measured (tables of figures and of fault runs). */
async function main(): Promise<void> {
  write('docs/SETTINGS.md', settingsPage());
  write('.env.example', envExample());
  write('docs/LIMITS.md', limitsPage());
  write('docs/EVENTS.md', eventsPage());
  write('docs/METRICS.md', metricsPage());
  const files = readFigures(join(projectRoot(), 'docs', 'figures'));
  const hashes = await hashesOf(projectRoot(), sourcesOf(FIGURES));
  const page = readFileSync(join(projectRoot(), 'docs/PERFORMANCE.md'), 'utf8');
  write('docs/PERFORMANCE.md', withFigures(page, files, hashes));
  const reliability = readFileSync(join(projectRoot(), 'docs/RELIABILITY.md'), 'utf8');
  write('docs/RELIABILITY.md', withFaultRuns(reliability, readFaultRuns()));
  for (const file of files) {
    const changed = changedSince(file, hashes);
    if (changed.length > 0) {
      process.stdout.write(
        `${file.name} (${file.hour} hour) is older than ${changed.join(', ')}\n`,
      );
    }
  }
}

function write(file: string, text: string): void {
  writeFileSync(join(projectRoot(), file), text);
  process.stdout.write(`${file} is written.\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
