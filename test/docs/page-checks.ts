import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

/** The text without code blocks, line by line: their lines are empty. */
function prose(page: string): string[] {
  let fenced = false;
  return page.split('\n').map((line) => {
    const fence = line.trimStart().startsWith('```');
    if (fence) fenced = !fenced;
    return fence || fenced ? '' : line;
  });
}

/** Cells of a table's row; a pipe that belongs to a cell is written `\|`, in code, too. */
function cellsOf(row: string): number {
  return row
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/).length;
}

/** Rows that have not as many cells as the head of their table, as `line: row`. */
export function unevenRows(page: string): string[] {
  const found: string[] = [];
  let cells: number | null = null;
  for (const [at, line] of prose(page).entries()) {
    if (!line.trimStart().startsWith('|')) {
      cells = null;
      continue;
    }
    cells ??= cellsOf(line);
    if (cellsOf(line) !== cells) found.push(`${at + 1}: ${line}`);
  }
  return found;
}

/** Anchors that GitHub gives the headings of a page. */
export function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of prose(page)) {
    const heading = /^#{1,6} +(.+?)\s*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Links of the page `file` to what is not there: a file of the tree, or a heading. */
export function deadLinks(root: string, file: string, page: string): string[] {
  const text = prose(page)
    .join('\n')
    .replaceAll(/`[^`\n]*`/g, '');
  const targets = [...text.matchAll(/\]\(\s*([^)\s]+)[^)]*\)/g)].map((m) => m[1]!);
  return targets.filter((target) => {
    if (/^[a-z]+:/i.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    if (path === '') return !anchorsOf(page).has(anchor ?? '');
    const whole = join(root, normalize(join(dirname(file), decodeURI(path))));
    if (relative(root, whole).startsWith('..') || !existsSync(whole)) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(whole, 'utf8')).has(anchor);
  });
}

/** Paragraphs and items of lists that have more lines than anybody reads at once, by their beginning. */
export function longParagraphs(page: string, maxLines: number): string[] {
  const found: string[] = [];
  let lines: string[] = [];
  const end = (): void => {
    if (lines.length > maxLines) found.push(lines[0]!);
    lines = [];
  };
  for (const line of prose(page)) {
    if (line === '' || /^(?:#|\||[-*] |\d+\. )/.test(line.trimStart())) end();
    if (line !== '' && !line.startsWith('|')) lines.push(line);
  }
  end();
  return found;
}

const TOP_FOLDERS = '(?:apps|clients|docs|libs|test|tools)';

/** Files and folders of this project that a page names, but which are not there. `*` and `…` stand for anything. */
export function missingFiles(page: string, tree: readonly string[]): string[] {
  const named = [...page.matchAll(new RegExp(`(?<![\\w./@-])${TOP_FOLDERS}/[\\w./*…{},-]*`, 'g'))];
  const paths = named.map((m) => m[0].replace(/[.,…/]+$/, '')).flatMap(alternatives);
  return [...new Set(paths)].filter((path) => {
    const pattern = path
      .replaceAll(/[.+^$()[\]\\]/g, '\\$&')
      .replaceAll('**', '…')
      .replaceAll('*', '[^/]*')
      .replaceAll('…', '.*');
    const exists = new RegExp(`^${pattern}(?:\\.ts)?(?:/|$)`);
    return !tree.some((entry) => exists.test(entry));
  });
}

/** `a/{b,c}` → `a/b`, `a/c`. */
function alternatives(path: string): string[] {
  const braces = /^(.*?)\{([^{}]*)\}(.*)$/.exec(path);
  if (!braces) return [path];
  const [, before = '', choices = '', after = ''] = braces;
  return choices.split(',').flatMap((choice) => alternatives(before + choice + after));
}
