import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { projectRoot } from '../stack/paths';
import { SERVICES, type ServiceName } from '../stack/service-plan';
import { processMetrics } from './process-metrics';
import { type RegisteredMetric, registeredMetrics } from './registered';

const HEAD = `# Metrics

<!-- Written by \`npm run docs\` from the sources of the services; do not edit. -->

\`\`\`console
$ curl -s http://127.0.0.1:8092/metrics | grep storage_leader
# HELP tidings_storage_leader Whether this instance leads storage
# TYPE tidings_storage_leader gauge
tidings_storage_leader{service="storage",node="storage-1"} 1
\`\`\`

Each instance answers \`/metrics\` from its first second, in the text format of Prometheus: session, presence and storage at \`PORT\`, a gateway at
\`ADMIN_PORT\`. Everything has the labels \`service\` and \`node\`
(of \`tidings_internal_call_failures_total\`, \`service\` is the one that was called). Counters begin at 0 with each start of the process.
A histogram \`x\` is \`x_bucket\`, \`x_sum\` and \`x_count\`; times are in seconds.

**With Docker**, \`docker compose --profile metrics up --build --wait\` starts Prometheus at http://127.0.0.1:9090. It finds every replica of every service
by its name, and judges the alerts of [\`deploy/metrics/alerts.yml\`](../deploy/metrics/alerts.yml). Who is told of them is for you to say: there is no Alertmanager in it.
Grafana is no part of it either: import [\`deploy/metrics/dashboard.json\`](../deploy/metrics/dashboard.json), which follows a message from the
socket to the history, and choose that Prometheus. What it may use of the machine (\`PROMETHEUS_PORT\`, \`_DAYS\`, \`_DISK\`, \`_MEMORY\`) is in [\`.env.example\`](../.env.example).

**Elsewhere**, [\`deploy/metrics/prometheus.yml\`](../deploy/metrics/prometheus.yml) shows what is scraped. Alerts expect a \`job\` per service, called as the service.
Several instances may tell the same, as a group's lag by its members and by the leader: take the maximum, not the sum.
`;

const NODE_HEAD = `## Of every process

What Node and the operating system know of the process, by [prom-client](https://github.com/siimon/prom-client); on Linux also open files and
virtual memory, with most versions of Node also what keeps it busy (\`nodejs_active_*\`).
`;

/** `docs/METRICS.md`. */
export function metricsPage(found = registeredMetrics()): string {
  const metrics = new Map<string, { metric: RegisteredMetric; services: ServiceName[] }>();
  for (const [service, list] of found) {
    for (const metric of list) {
      const key = `${metric.name} ${metric.file}`;
      const known = metrics.get(key);
      if (known) known.services.push(service);
      else metrics.set(key, { metric, services: [service] });
    }
  }
  const all = [...metrics.values()];
  const shared = all.filter(({ services }) => services.length > 1);
  return [
    HEAD,
    alertSection(readFileSync(join(projectRoot(), 'deploy/metrics/alerts.yml'), 'utf8')),
    '## Of several services\n',
    '| Metric | Type | Labels | What it says | Of |',
    '|---|---|---|---|---|',
    ...shared.map(({ metric, services }) => `${row(metric)} ${servicesIn(services)} |`),
    '',
    ...SERVICES.flatMap((service) => {
      const own = all.filter(({ services }) => services.length === 1 && services[0] === service);
      return section(
        service,
        own.map(({ metric }) => metric),
      );
    }),
    NODE_HEAD,
    ...processSection(),
  ].join('\n');
}

function alertSection(file: string): string {
  const { groups } = parse(file) as {
    groups: {
      rules: {
        alert: string;
        for?: string;
        labels: { severity: string };
        annotations: { summary: string; page: string };
      }[];
    }[];
  };
  const rows = groups
    .flatMap(({ rules }) => rules)
    .map(({ alert, for: lasting = 'at once', labels: { severity }, annotations }) => {
      const { summary, page } = annotations;
      const says = summary
        .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, '`$1`')
        .replaceAll(/\{\{ \$value[^}]*\}\}/g, '…');
      const [file = '', anchor] = page.replace(/^docs\//, '').split('#');
      return `| ${alert} | ${severity} | ${lasting} | ${says} | [${file.replace('.md', '')}](${file}#${anchor}) |`;
    });
  return [
    '## Alerts',
    '',
    '`page`: people notice now, or something is lost; `warning`: look at it today.',
    '',
    '| Alert | Severity | When it has lasted | What it says | Read on |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    'What nobody of ours measures, and so no alert is made of: the disks and the memory of Kafka, Redis and PostgreSQL. Take their own exporters for that.',
    '',
  ].join('\n');
}

function section(service: ServiceName, own: RegisteredMetric[]): string[] {
  return [
    `## Of ${service} alone\n`,
    '| Metric | Type | Labels | What it says |',
    '|---|---|---|---|',
    ...own.map(row),
    '',
  ];
}

function row({ name, type, labels, help }: Omit<RegisteredMetric, 'file'>): string {
  const named = labels.map((label) => `\`${label}\``).join(' ');
  return `| \`${name}\` | ${type} | ${named} | ${help.replaceAll('|', '\\|')} |`;
}

function servicesIn(services: ServiceName[]): string {
  return services.length === SERVICES.length ? 'all' : services.join(', ');
}

function processSection(): string[] {
  return [
    '| Metric | Type | Labels | What it says |',
    '|---|---|---|---|',
    ...processMetrics().map(row),
    '',
  ];
}
