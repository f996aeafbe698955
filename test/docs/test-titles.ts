import ts from 'typescript';

/** Groups and tests, as they are called where they run. */
const BLOCKS = ['describe', 'it', 'test'];
/** Of `it.each`, `it.only` and so on: what still runs. */
const RUN_BY = ['each', 'only', 'concurrent'];
/** In a title: the `name` of the row that is tested. */
const ROW_NAME = '$name';

/**
 * Titles of the groups and tests of a test file, as they are written, and the names of their rows where
 * a title is `$name`. What is skipped does not count, nor what is in it.
 */
export function titlesOf(source: string): string[] {
  const file = ts.createSourceFile('a.spec.ts', source, ts.ScriptTarget.Latest, true);
  const titles: string[] = [];
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const block = blockOf(node.expression);
      if (block === 'skipped') return;
      const [title] = node.arguments;
      if (block === 'runs' && title && ts.isStringLiteralLike(title)) titles.push(title.text);
    }
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'name') {
      if (ts.isStringLiteralLike(node.initializer)) names.push(node.initializer.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return titles.includes(ROW_NAME) ? [...titles, ...names] : titles;
}

/** What a call of this makes: a block that runs, one that does not, or none at all. */
function blockOf(called: ts.Expression): 'runs' | 'skipped' | null {
  if (ts.isIdentifier(called)) return BLOCKS.includes(called.text) ? 'runs' : null;
  // it.each(rows)(title, …)
  if (ts.isCallExpression(called)) return blockOf(called.expression);
  if (ts.isTaggedTemplateExpression(called)) return blockOf(called.tag);
  if (!ts.isPropertyAccessExpression(called)) return null;
  const of = blockOf(called.expression);
  return of === 'runs' && !RUN_BY.includes(called.name.text) ? 'skipped' : of;
}
