import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { titlesOf } from './test-titles';

const root = join(__dirname, '../..');
const page = readFileSync(join(root, 'docs/EVIDENCE.md'), 'utf8');
const proofs = [...page.matchAll(/`([^`]+\.ts)` › (.+?)(?=<br>| \||$)/gm)].map((m) => ({
  file: m[1]!,
  title: m[2]!.trim(),
}));

/** A part of a spec is run when the spec that is named like its folder imports it. */
function expectRun(part: string): void {
  const folder = dirname(part);
  const imported = `from './${basename(folder)}/${basename(part, '.ts')}'`;
  expect(readFileSync(join(root, `${folder}.e2e-spec.ts`), 'utf8')).toContain(imported);
}

describe('docs/EVIDENCE.md names tests that exist', () => {
  it('names some', () => expect(proofs.length).toBeGreaterThan(20));

  it.each(proofs)('$file › $title', ({ file, title }) => {
    expect(titlesOf(readFileSync(join(root, file), 'utf8'))).toContain(title);
    if (!/\.(?:e2e-spec|fault-spec|compose-spec|spec)\.ts$/.test(file)) expectRun(file);
  });
});

describe('a title counts', () => {
  const source = `
    // it('in a comment', () => undefined);
    const words = 'in a string';
    describe('of a group', () => {
      it('of a test' + words, () => undefined);
      it('of a test, it\\'s whole', () => undefined);
      it.each([1, 2])('with %s', () => undefined);
      it.each<[string]>([['typed']])(\`as a template\`, () => undefined);
      it.skip('of what is skipped', () => undefined);
      it.todo('of what is not written');
      xit('of what is switched off', () => undefined);
      describe.skip('of a group that is skipped', () => { it('in it', () => undefined); });
    });
    const ROWS = [{ name: 'of a row' }];
    describe.each(ROWS)('$name', () => undefined);
  `;

  it('when a test or group that runs has just this', () => {
    expect(titlesOf(source)).toEqual([
      'of a group',
      "of a test, it's whole",
      'with %s',
      'as a template',
      '$name',
      'of a row',
    ]);
  });

  it('of a row only where a title names rows', () => {
    expect(titlesOf(source.replace('$name', '%s'))).not.toContain('of a row');
  });
});
