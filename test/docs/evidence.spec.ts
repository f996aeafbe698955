import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const page = readFileSync(join(root, 'docs/EVIDENCE.md'), 'utf8');
const proofs = [
  ...page.matchAll(/`([^`]+\.(?:e2e-spec|fault-spec|spec)\.ts)` › (.+?)(?=<br>| \||$)/gm),
].map((m) => ({ file: m[1]!, title: m[2]!.trim() }));

describe('docs/EVIDENCE.md names tests that exist', () => {
  it('names some', () => expect(proofs.length).toBeGreaterThan(20));

  it.each(proofs)('$file › $title', ({ file, title }) => {
    const source = readFileSync(join(root, file), 'utf8').replace(/\\'/g, "'");
    expect(source).toContain(title);
  });
});
