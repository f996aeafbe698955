import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from './version';

it('the version that nodes tell is that of package.json', () => {
  const file = readFileSync(join(__dirname, '../../../../package.json'), 'utf8');
  expect((JSON.parse(file) as { version: string }).version).toBe(VERSION);
});
