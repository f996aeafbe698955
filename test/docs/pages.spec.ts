import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { anchorsOf, deadLinks, longParagraphs, missingFiles, unevenRows } from './page-checks';

const root = join(__dirname, '../..');
const tree = filesOf('');
const pages = tree.filter((file) => file.endsWith('.md'));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

describe.each(pages)('%s', (file) => {
  it('has rows of as many cells as the head of their table', () =>
    expect(unevenRows(read(file))).toEqual([]));

  it('links to files and headings that exist', () =>
    expect(deadLinks(root, file, read(file))).toEqual([]));

  // a decision record and the change log say what was at their time
  if (!file.startsWith('docs/decisions/') && file !== 'CHANGELOG.md') {
    it('names files that exist', () => expect(missingFiles(read(file), tree)).toEqual([]));
  }
});

it.each(['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md', 'docs/EVIDENCE.md'])(
  '%s has no paragraph of ten lines',
  (file) => expect(longParagraphs(read(file), 9)).toEqual([]),
);

describe('a broken page is found', () => {
  it('by a paragraph of ten lines, not by a list of short items', () => {
    const ten = 'a line\n'.repeat(10);
    expect(longParagraphs(`# Head\n\n${ten}`, 9)).toEqual(['a line']);
    expect(longParagraphs('- an item\n  of two lines\n'.repeat(10), 9)).toEqual([]);
    expect(longParagraphs(`- ${ten}`, 9)).toEqual(['- a line']);
  });

  it('by a cell too many, a cell too few, and a pipe that is not escaped', () => {
    const table = '| a | b |\n|---|---|\n| 1 | 2 |\n| `x \\| y` | 2 |\n';
    expect(unevenRows(table)).toEqual([]);
    expect(unevenRows(`${table}| 1 |\n| 1 | 2 | 3 |\n| \`x | y\` | 2 |`)).toHaveLength(3);
    expect(unevenRows(`\`\`\`\n${table}| 1 |\n\`\`\``)).toEqual([]);
  });

  it('by a link to a file or a heading that is not there', () => {
    const links = '[a](LIMITS.md) [b](#one-and-two) [c](../README.md) [d](https://example.org/x)';
    const page = `# One, and \`two\`\n${links}`;
    expect(deadLinks(root, 'docs/X.md', page)).toEqual([]);
    const broken = `${page} [e](LIMIT.md) [f](#three) [g](LIMITS.md#three) [h](../../x.md)`;
    expect(deadLinks(root, 'docs/X.md', broken)).toEqual([
      'LIMIT.md',
      '#three',
      'LIMITS.md#three',
      '../../x.md',
    ]);
  });

  it('by the name of a file that is not there', () => {
    const page = '`apps/*/src/*.env.ts`, docs/{LIMITS,PROTOCOL}.md, `libs/protocol`.';
    expect(missingFiles(page, tree)).toEqual([]);
    expect(missingFiles(`${page} tools/nowhere.ts docs/{LIMITS,NONE}.md`, tree)).toEqual([
      'tools/nowhere.ts',
      'docs/NONE.md',
    ]);
  });

  it('and headings of one name have anchors of their own', () =>
    expect([...anchorsOf('## A b\n## A b\n```\n# c\n```')]).toEqual(['a-b', 'a-b-1']));
});

/** Files of the tree, without what is fetched, built or kept while it runs. */
function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (/^(?:\..*|node_modules|dist|coverage)$/.test(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesOf(path) : [path];
  });
}
