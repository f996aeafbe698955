import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseLoadArgs } from '../load/args';
import { projectRoot } from '../stack/paths';
import { FIGURES, RUNS, sourcesOf } from './list';

describe('every figure', () => {
  const loads = FIGURES.flatMap(({ name, load }) => (load === null ? [] : [[name, load] as const]));

  it.each(loads)('%s is measured by options that the load tool takes', (_, load) => {
    const args = ['--own-stack', ...load.split(' '), '--runs', String(RUNS)];
    expect(parseLoadArgs(args, () => 1)).toMatchObject({ runs: RUNS, ownStack: true });
  });

  it('has a name of its own', () => {
    expect(new Set(FIGURES.map(({ name }) => name)).size).toBe(FIGURES.length);
  });

  it('depends on what is there', () => {
    const missing = sourcesOf(FIGURES).filter((source) => !existsSync(join(projectRoot(), source)));
    expect(missing).toEqual([]);
  });
});
