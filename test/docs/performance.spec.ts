import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stop } from 'esbuild';
import { readFigures } from '../../tools/figures/figure-file';
import { FIGURES, RUNS, sourcesOf } from '../../tools/figures/list';
import { withFigures } from '../../tools/figures/page';
import { hashesOf } from '../../tools/figures/sources';

const root = join(__dirname, '../..');
const page = readFileSync(join(root, 'docs/PERFORMANCE.md'), 'utf8');
const files = readFigures(join(root, 'docs/figures'));

describe('docs/PERFORMANCE.md', () => {
  afterAll(() => stop());

  it('has the figures as their files have them, marked where the code has gone on (npm run docs writes it)', async () => {
    expect(page).toBe(withFigures(page, files, await hashesOf(root, sourcesOf(FIGURES))));
  });

  it('shows only figures that npm run figures measures', () => {
    const names = FIGURES.map(({ name }) => name);
    expect(files.map(({ name }) => name).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('has three runs of everything that a figure shows, and nothing else', () => {
    const wrong = files.filter(({ name, runs }) => {
      const { variants } = FIGURES.find((figure) => figure.name === name)!;
      const enough = Object.keys(variants).every((variant) => {
        const expected = name === 'starts' && variant === 'first' ? 1 : RUNS;
        return runs.filter((run) => run.variant === variant).length === expected;
      });
      return !enough || runs.some(({ variant }) => !(variant in variants));
    });
    expect(wrong.map(({ name, hour }) => `${name} (${hour} hour)`)).toEqual([]);
  });
});
