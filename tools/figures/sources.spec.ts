import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hashesOf } from './sources';

const CODE = `/** Adds. */
export function add(a: number, b: number): number {
  return a + b;
}
`;

describe('the hash of a folder', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tidings-sources-'));
    write('apps/x/src/add.ts', CODE);
    write('package.json', '{ "scripts": {}, "dependencies": { "ws": "8.0.0" } }');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }

  async function changedBy(change: () => void): Promise<string[]> {
    const sources = ['apps/x', 'package.json'];
    const before = await hashesOf(root, sources);
    change();
    const after = await hashesOf(root, sources);
    return sources.filter((source) => before[source] !== after[source]);
  }

  it.each<[string, string, string]>([
    ['a comment', 'apps/x/src/add.ts', CODE.replace('Adds.', 'Adds two numbers.')],
    ['the layout', 'apps/x/src/add.ts', CODE.replace('a + b', 'a +\n    b')],
    ['a type', 'apps/x/src/add.ts', CODE.replace('): number', ')')],
    ['a test', 'apps/x/src/add.spec.ts', 'it("adds", () => undefined);'],
    ['what tests share', 'apps/x/src/testing/factory.ts', 'export const one = 1;'],
    ['a page', 'apps/x/README.md', '# X'],
    ['a script', 'package.json', '{ "scripts": { "a": "b" }, "dependencies": { "ws": "8.0.0" } }'],
  ])('is the same after a change of %s', async (_, file, text) => {
    expect(await changedBy(() => write(file, text))).toEqual([]);
  });

  it.each<[string, string, string, string[]]>([
    ['code', 'apps/x/src/add.ts', CODE.replace('a + b', 'a - b'), ['apps/x']],
    ['a text in it', 'apps/x/src/add.ts', `${CODE}export const say = 'a // b';`, ['apps/x']],
    ['a further file', 'apps/x/src/more/other.ts', CODE, ['apps/x']],
    ['a package', 'package.json', '{ "dependencies": { "ws": "8.0.1" } }', ['package.json']],
  ])('is another one after a change of %s', async (_, file, text, changed) => {
    expect(await changedBy(() => write(file, text))).toEqual(changed);
  });
});
