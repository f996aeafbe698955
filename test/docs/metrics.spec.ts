import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { metricsPage } from '../../tools/metrics/page';
import { processMetrics } from '../../tools/metrics/process-metrics';
import { registeredMetrics } from '../../tools/metrics/registered';
import { SERVICES } from '../../tools/stack/service-plan';
import { deadLinks } from './page-checks';
import { askedBy } from './promql';

const root = join(__dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; page: string };
}
const { groups } = parse(read('deploy/metrics/alerts.yml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}
const { panels } = JSON.parse(read('deploy/metrics/dashboard.json')) as { panels: Panel[] };

const registered = registeredMetrics();
/** Of all services: labels by name, as Prometheus knows them. */
const known = new Map<string, Set<string>>([
  // Prometheus' own
  ['up', new Set()],
  ['ALERTS', new Set(['alertname', 'alertstate', 'severity'])],
]);
for (const { name, type, labels } of [processMetrics(), ...registered.values()].flat()) {
  const names =
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name];
  for (const one of names) {
    known.set(one, new Set([...(known.get(one) ?? []), ...labels, 'service', 'node']));
    if (one.endsWith('_bucket')) known.get(one)!.add('le');
  }
}

/** What an expression names and nobody has. */
function unknownIn(expression: string): string[] {
  const { metrics, grouped } = askedBy(expression);
  const of = (name: string): string[] => ['job', 'instance', ...(known.get(name) ?? [])];
  const all = metrics.flatMap(({ name }) => of(name));
  const jobs = [...expression.matchAll(/job!?=~?"([^"]*)"/g)].flatMap(([, list = '']) =>
    list.split('|'),
  );
  return [
    ...metrics.filter(({ name }) => !known.has(name)).map(({ name }) => name),
    ...metrics.flatMap(({ name, labels }) => labels.filter((label) => !of(name).includes(label))),
    ...grouped.filter((label) => !all.includes(label)),
    ...jobs.filter((job) => !['prometheus', ...SERVICES].includes(job)),
  ];
}

describe('docs/METRICS.md', () => {
  it('is what the sources say (npm run docs writes it)', () =>
    expect(read('docs/METRICS.md')).toBe(metricsPage(registered)));

  it('has what each service is known to have', () => {
    const names = (service: (typeof SERVICES)[number]) =>
      registered.get(service)!.map(({ name }) => name);
    expect(names('gateway')).toContain('tidings_media_uploads_running');
    expect(names('session')).toContain('tidings_group_lag_seconds');
    expect(names('presence')).not.toContain('tidings_internal_call_failures_total');
    expect(names('storage')).toContain('tidings_storage_connections_busy');
    expect(names('session')).not.toContain('tidings_internal_calls_total');
    for (const service of SERVICES) expect(names(service)).toContain('tidings_not_ready');
  });

  it('says what each of them means', () => {
    for (const { help } of [...registered.values()].flat()) expect(help).toMatch(/^[A-Z1].{10,}/);
  });
});

describe('deploy/metrics/alerts.yml', () => {
  it('has alerts for ten things and more, each by one name', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(rules.length).toBeGreaterThanOrEqual(10);
  });

  it.each(rules)('$alert asks for what there is', ({ expr }) => {
    expect(askedBy(expr).metrics.length).toBeGreaterThan(0);
    expect(unknownIn(expr)).toEqual([]);
  });

  it.each(rules)('$alert says what happened, and where to read on', ({ labels, annotations }) => {
    expect(['page', 'warning']).toContain(labels.severity);
    expect(annotations.summary).toMatch(/^[A-Z{].{20,}/);
    expect(deadLinks(root, 'README.md', `[page](${annotations.page})`)).toEqual([]);
  });

  it('has each alert tried, firing and silent', () => {
    interface Try {
      alertname: string;
      exp_alerts: unknown[];
    }
    const { tests } = parse(read('deploy/metrics/alerts.test.yml')) as {
      tests: { alert_rule_test: Try[] }[];
    };
    const tries = tests.flatMap((test) => test.alert_rule_test);
    for (const { alert } of rules) {
      const fires = tries
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts }) => exp_alerts.length > 0);
      expect([alert, fires.includes(true), fires.includes(false)]).toEqual([alert, true, true]);
    }
  });
});

describe('deploy/metrics/dashboard.json', () => {
  const asked = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
  );

  it.each(asked)('$title asks for what there is: $expr', ({ expr, legendFormat }) => {
    expect(askedBy(expr).metrics.length).toBeGreaterThan(0);
    expect(unknownIn(expr)).toEqual([]);
    // what tells lines apart is what they are grouped by
    const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    expect(named.sort()).toEqual(
      askedBy(expr)
        .grouped.filter((label) => label !== 'le')
        .sort(),
    );
  });

  it('shows panels beside and below one another', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });
});

describe('an expression with a name that nobody has is found', () => {
  it.each([
    ['a metric', 'sum(rate(tidings_nothing_total[5m])) > 0', ['tidings_nothing_total']],
    ['a histogram without its part', 'tidings_append_seconds', ['tidings_append_seconds']],
    ['a part of what is none', 'tidings_connections_count', ['tidings_connections_count']],
    ['a label that chooses', 'tidings_lane_shed{line="text"}', ['line']],
    ['a label to group by', 'sum by (node, topics) (tidings_dead_letters_open)', ['topics']],
    ['a label behind what is grouped', 'sum(up) by (place)', ['place']],
    ['a label to match by', 'up and on (nodes) up', ['nodes']],
    ['a service', 'absent(up{job="gateways"})', ['gateways']],
  ])('%s', (_, expression, expected) => expect(unknownIn(expression)).toEqual(expected));

  it('and what Prometheus itself means is none', () =>
    expect(
      unknownIn(
        'histogram_quantile(0.9, sum by (le) (rate(tidings_append_seconds_bucket{node=~"a|b", le!="1e3"}[$__rate_interval] offset 5m))) > bool 1.5e3 or vector(0)',
      ),
    ).toEqual([]));
});
