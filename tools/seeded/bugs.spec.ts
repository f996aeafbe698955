import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { titlesOf } from '../../test/docs/test-titles';
import { projectRoot } from '../stack/paths';
import { BUGS } from './bugs';
import { INSIDE, type SeededBug, SEEDED_MARK, seeded } from './seeded-bug';

const read = (...path: string[]): string => readFileSync(join(projectRoot(), ...path), 'utf8');
const named = BUGS.map((bug) => [bug.name, bug] as const);

/** The tests of a spec, also those in its parts. */
function titlesIn(spec: string): string[] {
  const parts = spec.replace('.e2e-spec.ts', '');
  const files = existsSync(join(projectRoot(), parts))
    ? readdirSync(join(projectRoot(), parts)).map((name) => join(parts, name))
    : [];
  return [spec, ...files].flatMap((file) => titlesOf(read(file)));
}

/** A title as it is written: what it has in the place of a row's values fits anything. */
function fits(test: string, title: string): boolean {
  const pattern = title.split(/%[sij]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(test);
}

describe('the seeded bugs', () => {
  it('are at least twelve, each with a name of its own', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(12);
    expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
  });

  it.each(named)('%s: what it replaces is there once', (_name, bug) => {
    const source = read(bug.file);
    expect(source.split(bug.find)).toHaveLength(2);
    expect(seeded(bug, source)).toContain(bug.replace);
  });

  it.each(named)('%s: its check exists', (_name, { check }) => {
    const titles = titlesIn(check.spec);
    for (const test of [...check.group.split(INSIDE), check.test, ...(check.behind ?? [])]) {
      expect(titles.filter((title) => fits(test, title))).not.toEqual([]);
    }
  });

  it.each(named)('%s: is in the table of docs/RELIABILITY.md', (name, { promise, check }) => {
    const row = read('docs/RELIABILITY.md')
      .split('\n')
      .find((line) => line.startsWith(`| ${name} |`));
    expect(row).toContain(`| ${promise} |`);
    expect(row).toContain(`\`${check.spec}\` › ${check.test} |`);
  });

  it('are not in what is shipped', () => {
    const sources = ['apps', 'libs', 'clients'].flatMap((dir) =>
      readdirSync(join(projectRoot(), dir), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(?:ts|mjs|json)$/.test(name) && !name.includes('node_modules'))
        .map((name) => join(dir, name)),
    );
    const bundles = join('dist', 'services', 'bundles');
    const built = readdirSync(join(projectRoot(), bundles)).map((name) => join(bundles, name));
    expect(built.length).toBeGreaterThanOrEqual(4);
    const marked = [...sources, ...built].filter((file) => /seeded.?bug/i.test(read(file)));
    expect(marked).toEqual([]);
    expect(read('.dockerignore').split('\n')).toContain('tools/seeded');
  });
});

describe('a seeded source', () => {
  const bug: SeededBug = {
    name: 'add',
    promise: 'one is added',
    file: 'add.ts',
    find: '+ 1',
    replace: '- 1',
    check: { spec: 'add.e2e-spec.ts', group: 'adding', test: 'one', shows: /./ },
  };

  it('has the bug and the mark', () => {
    const source = seeded(bug, 'export const next = (n: number) => n + 1;');
    expect(source).toMatch(/^export const next = \(n: number\) => n - 1;\n/);
    expect(source).toContain(SEEDED_MARK);
  });

  it.each(['n', 'n + 1 + 1'])('is refused where the text is not there once: %s', (source) => {
    expect(() => seeded(bug, source)).toThrow(
      /^The text that the seeded bug add replaces is [02] times/,
    );
  });
});
