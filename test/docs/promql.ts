/** What an expression of Prometheus asks for. */
export interface Asked {
  /** Metrics, each with the labels that choose among its series. */
  metrics: { name: string; labels: string[] }[];
  /** Labels that series are grouped or matched by. */
  grouped: string[];
}

const BEFORE_LABELS = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];
const OPERATORS = ['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'];

/** Reads the metrics and labels that an expression names. What it does with them is for promtool to judge. */
export function askedBy(expression: string): Asked {
  const asked: Asked = { metrics: [], grouped: [] };
  const words = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\boffset\s+\w+/g, '')
    .match(/[a-zA-Z_:][\w:]*|[\d.]+(?:e[+-]?\d+)?|\S/g);
  for (let at = 0; words && at < words.length; at++) {
    const word = words[at]!;
    if (!/^[a-zA-Z_:]/.test(word) || OPERATORS.includes(word.toLowerCase())) continue;
    const next = words[at + 1];
    if (BEFORE_LABELS.includes(word)) {
      if (next === '(') at = takeNames(words, at + 1, ')', asked.grouped);
    } else if (next === '{') {
      const labels: string[] = [];
      at = takeNames(words, at + 1, '}', labels);
      asked.metrics.push({ name: word, labels });
    } else if (next !== '(' && !BEFORE_LABELS.includes(next ?? '')) {
      asked.metrics.push({ name: word, labels: [] });
    }
  }
  return asked;
}

/** Takes the names up to a bracket, and returns where that is. */
function takeNames(words: string[], from: number, end: string, names: string[]): number {
  const to = words.indexOf(end, from);
  names.push(...words.slice(from, to).filter((word) => /^[a-zA-Z_]/.test(word)));
  return to;
}
