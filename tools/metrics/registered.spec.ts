import ts from 'typescript';
import { metricsIn } from './registered';

const read = (text: string) =>
  metricsIn(ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true)).map(
    ({ name, type, labels, help }) => [name, type, labels, help],
  );

describe('metrics as sources register them', () => {
  it.each<[string, string, unknown[]]>([
    [
      'a counter',
      `metrics.counter('a_total', 'Says')`,
      [['tidings_a_total', 'counter', [], 'Says']],
    ],
    [
      'labels of a counter',
      `this.metrics.counter('a_total', 'Says', ['why', 'to'])`,
      [['tidings_a_total', 'counter', ['why', 'to'], 'Says']],
    ],
    [
      'labels of a gauge',
      `options.metrics.gauge('a', 'One ' + 'two', { labelNames: ['why'] as const })`,
      [['tidings_a', 'gauge', ['why'], 'One two']],
    ],
    [
      'labels that have a name',
      `const labelNames = ['group'] as const; metrics.gauge('a', 'Says', { labelNames })`,
      [['tidings_a', 'gauge', ['group'], 'Says']],
    ],
    [
      'flags',
      `metrics.flags('a', 'Says', 'part', () => [])`,
      [['tidings_a', 'gauge', ['part'], 'Says']],
    ],
    ['a histogram', `metrics.histogram('a', 'Says')`, [['tidings_a', 'histogram', [], 'Says']]],
    [
      'those of a loop',
      'for (const n of ["up", "down"] as const) metrics.gauge(`a_${n}_b`, `Says ${n}`, { collect })',
      [
        ['tidings_a_up_b', 'gauge', [], 'Says up'],
        ['tidings_a_down_b', 'gauge', [], 'Says down'],
      ],
    ],
    [
      'those of a function',
      'const gauge = (n: string, help: string) => metrics.gauge(`a_${n}`, help); gauge("b", "B"); gauge("c", "C")',
      [
        ['tidings_a_b', 'gauge', [], 'B'],
        ['tidings_a_c', 'gauge', [], 'C'],
      ],
    ],
    ['nothing of somebody else', `this.counter(client); rates.gauge('a', 'b')`, []],
  ])('%s', (_, text, expected) => expect(read(text)).toEqual(expected));

  it.each([
    ['a name that only a run knows', 'metrics.gauge(nameOf(x), "Says")'],
    ['a list that only a run knows', 'for (const n of names) metrics.gauge(n, "Says")'],
    ['labels that only a run knows', 'metrics.counter("a", "Says", labelsOf(x))'],
    ['a parameter of a method', 'class A { b(n: string) { this.metrics.gauge(n, "Says"); } }'],
    ['no help', 'metrics.gauge("a")'],
  ])('%s is told of, with its place', (_, text) => {
    expect(() => read(text)).toThrow(/^a\.ts:1: .* cannot be read: /);
  });
});
