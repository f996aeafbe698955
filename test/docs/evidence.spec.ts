import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const root = join(__dirname, '../..');
const page = readFileSync(join(root, 'docs/EVIDENCE.md'), 'utf8');
const proofs = [...page.matchAll(/`([^`]+\.ts)` › (.+?)(?=<br>| \||$)/gm)].map((m) => ({
  file: m[1]!,
  title: m[2]!.trim(),
}));

const sourceOf = (file: string): string =>
  readFileSync(join(root, file), 'utf8').replace(/\\'/g, "'");

/** A part of a spec is run when the spec that is named like its folder imports it. */
function expectRun(part: string): void {
  const folder = dirname(part);
  const imported = `from './${basename(folder)}/${basename(part, '.ts')}'`;
  expect(sourceOf(`${folder}.e2e-spec.ts`)).toContain(imported);
}

describe('docs/EVIDENCE.md names tests that exist', () => {
  it('names some', () => expect(proofs.length).toBeGreaterThan(20));

  it.each(proofs)('$file › $title', ({ file, title }) => {
    expect(sourceOf(file)).toContain(title);
    if (!/\.(?:e2e-spec|fault-spec|spec)\.ts$/.test(file)) expectRun(file);
  });
});
