import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../stack/paths';
import { SERVICES, type ServiceName } from '../stack/service-plan';

/** What `Metrics` makes, by the name of its method. */
const MAKERS = {
  counter: 'counter',
  gauge: 'gauge',
  flags: 'gauge',
  histogram: 'histogram',
} as const;
type MetricType = (typeof MAKERS)[keyof typeof MAKERS];

/** A metric of a service's `/metrics`. */
export interface RegisteredMetric {
  /** with the prefix */
  name: string;
  type: MetricType;
  labels: string[];
  /** what it says, as `/metrics` does */
  help: string;
  /** where it is registered */
  file: string;
}

/**
 * What each service registers, as its sources say: the declarations that its `main.ts` leads to are read, in
 * whatever file they are.
 */
export function registeredMetrics(): Map<ServiceName, RegisteredMetric[]> {
  const files = new Map<string, Source>();
  return new Map(
    SERVICES.map((service) => {
      const found = new Map<string, RegisteredMetric>();
      for (const { metrics } of reachedFrom(`apps/${service}/src/main.ts`, files)) {
        for (const metric of metrics) found.set(metric.name, metric);
      }
      return [service, [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))];
    }),
  );
}

/** A function, a class or a constant of a file; or what is done when the file is loaded. */
interface Declaration {
  metrics: RegisteredMetric[];
  /** names that it uses */
  uses: Set<string>;
}

interface Source {
  declarations: Map<string, Declaration>;
  /** By the name here: the file, and the name there. */
  imports: Map<string, { file: string; name: string }>;
}

/** The name of what is done when a file is loaded. */
const WHEN_LOADED = '';
/** The name of all that a file has, for `import * as`. */
const ALL = '*';

/** All declarations that are used, from one to the next, beginning with what a file does when it is loaded. */
function reachedFrom(entry: string, files: Map<string, Source>): Declaration[] {
  const reached = new Map<string, Declaration>();
  const next: [file: string, name: string][] = [[entry, WHEN_LOADED]];
  for (const [file, name] of next) {
    const key = `${file} ${name}`;
    if (reached.has(key)) continue;
    let source = files.get(file);
    if (!source) files.set(file, (source = readSource(file)));
    if (name === ALL)
      next.push(...[...source.declarations.keys()].map((one) => [file, one] as [string, string]));
    const declaration = source.declarations.get(name);
    if (!declaration) continue;
    reached.set(key, declaration);
    for (const used of declaration.uses) {
      const from = source.imports.get(used);
      if (from) next.push([from.file, from.name], [from.file, WHEN_LOADED]);
      else next.push([file, used]);
    }
  }
  return [...reached.values()];
}

function readSource(path: string): Source {
  const text = readFileSync(join(projectRoot(), path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const source: Source = { declarations: new Map(), imports: new Map() };
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement)) addImports(statement, source);
    else addDeclarations(statement, source);
  }
  return source;
}

function addDeclarations(statement: ts.Statement, { declarations }: Source): void {
  const add = (name: string, node: ts.Node): void => {
    const { metrics, uses } = declarations.get(name) ?? { metrics: [], uses: new Set<string>() };
    declarations.set(name, {
      metrics: [...metrics, ...metricsIn(node)],
      uses: new Set([...uses, ...namesIn(node)]),
    });
  };
  if (ts.isVariableStatement(statement)) {
    for (const one of statement.declarationList.declarations) {
      // what makes a constant is done when the file is loaded
      for (const name of [one.name.getText(), WHEN_LOADED]) add(name, one);
    }
  } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
    add(statement.name?.text ?? 'default', statement);
  } else if (!ts.isInterfaceDeclaration(statement) && !ts.isTypeAliasDeclaration(statement)) {
    add(WHEN_LOADED, statement);
  }
}

function namesIn(node: ts.Node): Set<string> {
  const names = new Set<string>();
  const visit = (child: ts.Node): void => {
    if (ts.isTypeNode(child) && !ts.isExpressionWithTypeArguments(child)) return;
    if (ts.isIdentifier(child)) names.add(child.text);
    ts.forEachChild(child, visit);
  };
  visit(node);
  return names;
}

function addImports(statement: ts.ImportDeclaration, { imports }: Source): void {
  const { importClause: clause, moduleSpecifier } = statement;
  const from = statement.getSourceFile().fileName;
  const file = pathOf(from, (moduleSpecifier as ts.StringLiteral).text);
  if (file === null || clause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return;
  const bindings = clause?.namedBindings;
  if (!bindings || clause.name) throw unreadable(statement, 'it imports no names');
  if (ts.isNamespaceImport(bindings)) {
    imports.set(bindings.name.text, { file, name: ALL });
    return;
  }
  for (const { name, propertyName, isTypeOnly } of bindings.elements) {
    if (!isTypeOnly) imports.set(name.text, { file, name: (propertyName ?? name).text });
  }
}

/** The file of a service or of `libs/common` that is imported; null: a package, or the protocol, which counts nothing. */
function pathOf(from: string, specifier: string): string | null {
  const [, common] = /^@tidings\/common\/(.+)$/.exec(specifier) ?? [];
  if (common !== undefined) return `libs/common/src/${common}.ts`;
  return specifier.startsWith('.') ? `${join(dirname(from), specifier)}.ts` : null;
}

/** The metrics that a piece of code registers. @throws when one cannot be read from the text alone. */
export function metricsIn(code: ts.Node): RegisteredMetric[] {
  const metrics: RegisteredMetric[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) metrics.push(...registeredBy(node));
    ts.forEachChild(node, visit);
  };
  visit(code);
  return metrics;
}

function registeredBy(call: ts.CallExpression): RegisteredMetric[] {
  const { expression, arguments: given } = call;
  if (!ts.isPropertyAccessExpression(expression)) return [];
  const maker = expression.name.text;
  if (
    !(maker in MAKERS) ||
    !/(?:^|\.)(?:metrics|registry)$/.test(expression.expression.getText())
  ) {
    return [];
  }
  const [name, help, more] = given;
  const type = MAKERS[maker as keyof typeof MAKERS];
  if (!name || !help) throw unreadable(call, 'it has no name or no help');
  const names = textsOf(name);
  const helps = textsOf(help);
  const labels = labelsOf(more);
  return names.map((one, at) => ({
    name: `tidings_${one}`,
    type,
    labels,
    help: helps.length === 1 ? helps[0]! : helps[at]!,
    file: call.getSourceFile().fileName,
  }));
}

/** What an expression can be: more than one text where its metric is registered in a loop, or by a function. */
function textsOf(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const ends = textsOf(node.right);
    return textsOf(node.left).flatMap((begin) => ends.map((end) => begin + end));
  }
  if (ts.isTemplateExpression(node)) {
    return node.templateSpans.reduce(
      (begins, { expression, literal }) =>
        textsOf(expression).flatMap((text) => begins.map((begin) => begin + text + literal.text)),
      [node.head.text],
    );
  }
  if (ts.isIdentifier(node)) return valuesOf(node).flatMap(textsOf);
  throw unreadable(node, 'it is no text');
}

/** What a name stands for: an item of a list that is gone through, or what a function of this file is given. */
function valuesOf(name: ts.Identifier): ts.Expression[] {
  for (let at: ts.Node = name; at.parent; at = at.parent) {
    const { parent } = at;
    if (ts.isForOfStatement(parent) && ts.isVariableDeclarationList(parent.initializer)) {
      const [declared] = parent.initializer.declarations;
      if (declared?.name.getText() === name.text) return itemsOf(parent.expression);
    }
    if (!ts.isArrowFunction(parent)) continue;
    const index = parent.parameters.findIndex((one) => one.name.getText() === name.text);
    if (index < 0) continue;
    if (!ts.isVariableDeclaration(parent.parent)) break;
    return argumentsOf(parent.parent.name.getText(), index, name.getSourceFile());
  }
  throw unreadable(name, 'nothing in its file says what it is');
}

/** What the calls of a function are given in one place. */
function argumentsOf(called: string, index: number, file: ts.SourceFile): ts.Expression[] {
  const found: ts.Expression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === called) {
      const given = node.arguments[index];
      if (given) found.push(given);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function itemsOf(list: ts.Expression): ts.Expression[] {
  const bare = ts.isAsExpression(list) ? list.expression : list;
  if (!ts.isArrayLiteralExpression(bare)) throw unreadable(list, 'it is no list of texts');
  return [...bare.elements];
}

/** The names in `['a']`, in `{ labelNames: ['a'] }`, or the one of `flags`. */
function labelsOf(node: ts.Expression | undefined): string[] {
  if (!node) return [];
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isIdentifier(node)) return labelsOf(declarationOf(node));
  if (!ts.isObjectLiteralExpression(node)) return itemsOf(node).flatMap(textsOf);
  for (const property of node.properties) {
    if (property.name?.getText() !== 'labelNames') continue;
    if (ts.isPropertyAssignment(property)) return itemsOf(property.initializer).flatMap(textsOf);
    if (ts.isShorthandPropertyAssignment(property)) return labelsOf(declarationOf(property.name));
  }
  return [];
}

/** What a `const` of the same file begins with. */
function declarationOf(name: ts.Identifier): ts.Expression {
  let found: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === name.text) {
      found ??= node.initializer;
    }
    ts.forEachChild(node, visit);
  };
  visit(name.getSourceFile());
  if (!found) throw unreadable(name, 'nothing in its file says what it is');
  return found;
}

function unreadable(node: ts.Node, why: string): Error {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return new Error(`${file.fileName}:${line + 1}: \`${node.getText()}\` cannot be read: ${why}.`);
}
