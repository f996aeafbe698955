import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '../..');

/** A small tree with a service, the protocol and a client, in the places where knip.json looks. */
const TREE: Record<string, string> = {
  'package.json': JSON.stringify({
    name: 'copy',
    private: true,
    workspaces: ['libs/protocol', 'clients/*'],
    dependencies: { zod: '*' },
    devDependencies: { '@nestjs/cli': '*' },
  }),
  'tsconfig.json': '{}',
  'apps/some/src/main.ts': "import { z } from 'zod';\nimport { used } from './used';\nused(z);\n",
  'apps/some/src/used.ts': 'export const used = (value: unknown): unknown => value;\n',
  'libs/protocol/package.json': JSON.stringify({ name: '@copy/protocol' }),
  'libs/protocol/src/a.spec.ts': 'export {};\n',
  'clients/sdk/package.json': JSON.stringify({ name: '@copy/sdk' }),
  'clients/sdk/src/a.spec.ts': 'export {};\n',
  'clients/cli/package.json': JSON.stringify({ name: '@copy/cli' }),
  'clients/cli/src/main.ts': 'export {};\n',
};

/** What knip says of the tree by the settings of this project; empty: nothing. */
function faultsOf(changes: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-unused-'));
  try {
    for (const [path, text] of Object.entries({ ...TREE, ...changes })) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    copyFileSync(join(root, 'knip.json'), join(dir, 'knip.json'));
    const knip = join(root, 'node_modules/knip/bin/knip.js');
    const options = ['--no-progress', '--no-config-hints', '--reporter', 'compact'];
    const run = spawnSync(process.execPath, [knip, ...options], { cwd: dir, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    return run.status === 0 ? '' : run.stdout;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

jest.setTimeout(120_000);

describe('code that nobody uses is found', () => {
  it('and nothing is said of a tree where everything is used', () => expect(faultsOf({})).toBe(''));

  it('by an export that nobody imports', () =>
    expect(
      faultsOf({
        'apps/some/src/used.ts': `${TREE['apps/some/src/used.ts']}export const spare = 1;\n`,
      }),
    ).toContain('spare'));

  it('by a file that nobody imports', () =>
    expect(faultsOf({ 'apps/some/src/spare.ts': 'export const one = 1;\n' })).toContain(
      'apps/some/src/spare.ts',
    ));

  it('by a package that nobody imports', () => {
    const listed = JSON.parse(TREE['package.json']!) as { dependencies: object };
    const dependencies = { ...listed.dependencies, express: '*' };
    const changed = JSON.stringify({ ...listed, dependencies });
    expect(faultsOf({ 'package.json': changed })).toContain('express');
  });
});
