import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { dataDir, projectRoot } from '../stack/paths';
import { readStackFile } from '../stack/stack-file';

/** `npm run rebuild -- derived [--check]`: storage's own tool, at the database of the stack that runs. */
function main(words: readonly string[]): void {
  const url = process.env['DATABASE_URL'] ?? readStackFile(dataDir())?.databaseUrl;
  if (!url) {
    process.stderr.write('Nothing runs here: npm start first, or set DATABASE_URL\n');
    process.exitCode = 1;
    return;
  }
  const program = join(projectRoot(), 'dist', 'services', 'storage.js');
  const child = spawn(process.execPath, [program, 'rebuild', ...words], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: 'inherit',
  });
  child.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code) => (process.exitCode = code ?? 1));
}

main(process.argv.slice(2));
