import { readFileSync } from 'node:fs';

/** What a service says of itself: its metrics page and its log. */

/**
 * The sum of a metric over its labels, or over those with the `label`, as in `group="session-routing"`; `name`
 * without the prefix. Throws when there is none.
 */
export async function metricOf(url: string, name: string, label = ''): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = [...text.matchAll(new RegExp(`^tidings_${name}(\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  const found = lines.flatMap(([, labels = '', value]) => (labels.includes(label) ? [value] : []));
  if (found.length === 0) throw new Error(`${url} has no metric ${name}`);
  return found.reduce((sum, value) => sum + Number(value), 0);
}

/** One line of a service's log. */
export interface LogLine {
  level: string;
  time: string;
  msg: string;
  [field: string]: unknown;
}

/** The lines of a log file whose message contains `text`. */
export function logLines(path: string, text: string): LogLine[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(text))
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ msg }) => msg.includes(text));
}
