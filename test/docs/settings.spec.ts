import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { envExample, settingsPage } from '../../tools/settings/pages';
import { allSettings } from '../../tools/settings/services';

const read = (file: string): string => readFileSync(join(__dirname, '../..', file), 'utf8');

describe('the pages of settings agree with the schemas (npm run docs writes them)', () => {
  it.each([
    ['docs/SETTINGS.md', settingsPage],
    ['.env.example', envExample],
  ])('%s', (file, written) => expect(read(file)).toBe(written()));

  it.each(allSettings().map((setting) => [setting.name, setting] as const))(
    '%s says what it does',
    (_name, { description }) => expect(description).toMatch(/^[A-Z`].*[.`]$/s),
  );
});
