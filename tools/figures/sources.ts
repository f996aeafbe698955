import { transform } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Characters of a hash that are kept: enough to tell two states of a folder apart. */
const HASH_CHARACTERS = 16;

/**
 * A hash of what each of these folders and files does, by its path below the root. Comments, types, layout and
 * tests do not count; of a `package.json` only the packages do. It needs no git.
 */
export async function hashesOf(
  root: string,
  sources: readonly string[],
): Promise<Record<string, string>> {
  const pairs = sources.map(async (source) => [source, await hashOf(root, source)] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

async function hashOf(root: string, source: string): Promise<string> {
  const files = filesOf(root, source).sort();
  const contents = await Promise.all(files.map((file) => contentOf(join(root, file))));
  const hash = createHash('sha256');
  files.forEach((file, index) => hash.update(`${file}\0${contents[index]}\0`));
  return hash.digest('hex').slice(0, HASH_CHARACTERS);
}

function filesOf(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'testing' ? [] : filesOf(root, child);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts') ? [child] : [];
  });
}

async function contentOf(file: string): Promise<string> {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) {
    return JSON.stringify((JSON.parse(text) as { dependencies?: object }).dependencies);
  }
  const { code } = await transform(text, {
    loader: 'ts',
    minifyWhitespace: true,
    legalComments: 'none',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
  });
  return code;
}
