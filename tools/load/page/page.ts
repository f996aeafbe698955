import { type SideBySide, type SideRow, cellsOf, rowTitle } from '../side-by-side';
import { COLOURS, barChart } from './bar-chart';
import { type Markup, markup } from './markup';

const COLOUR_CLASSES = Array.from({ length: COLOURS }, (_, i) => {
  return markup`.c${i} { fill: var(--c${i}); --c: var(--c${i}); }
`;
});

const STYLE = markup`
:root { color-scheme: light dark; --ink: #1c2024; --paper: #fff; --line: #c9ced4; --bad: #b3261e;
  --c0: #2f6fb3; --c1: #d2691e; --c2: #3c8d5a; --c3: #8a5bb5; --c4: #b58a00; --c5: #b33c64; --c6: #3a8f9e; --c7: #6b7280; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --paper: #15181b; --line: #40464d; --bad: #ff8a80;
    --c0: #6aa9ec; --c1: #f0975a; --c2: #6cc08b; --c3: #b991e6; --c4: #e0ba3c; --c5: #ec7fa3; --c6: #6cc6d6; --c7: #a3abb5; } }
body { margin: 2rem auto; max-width: 66rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
pre { white-space: pre-wrap; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 22rem; }
svg { width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 12px; text-anchor: middle; }
.axis { stroke: var(--line); }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .9rem; }
.legend li::before { content: ''; display: inline-block; width: .8em; height: .8em; margin-right: .4em; background: var(--c); }
${COLOUR_CLASSES}.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; }
th:first-child { text-align: left; font-weight: normal; }
thead th, tbody.head th { font-weight: bold; }
.bad { color: var(--bad); font-weight: bold; }
`;

/** The whole page: it loads nothing, and its policy would not let it. `head` says what was measured and where. */
export function pageOf(head: string, all: SideBySide): string {
  const { labels, throughput, latency, cpu, generators } = all;
  const delivered = latency.filter(({ title }) => title.startsWith('send → delivered'));
  const services = cpu.filter(({ title }) => title !== 'all servers' && title !== 'generators');
  const deliveries = throughput.filter(({ title }) => title === 'deliveries to others');
  const series = (rows: readonly SideRow[]) =>
    rows.map(({ title, values }) => ({ name: title, values }));
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load side by side</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Load side by side</h1>
<pre>${head}</pre>
<div class="charts">
${barChart({ title: 'Latency', unit: 'ms from the schedule', digits: 1, groups: labels, series: series(delivered), stacked: false })}
${barChart({ title: 'CPU', unit: 'µs per message', digits: 0, groups: labels, series: series(services), stacked: true })}
${barChart({ title: 'Throughput', unit: 'per second', digits: 0, groups: labels, series: series(deliveries), stacked: false })}
</div>
<div class="wide">
<table>
<thead><tr><th>the middle of the runs</th>${labels.map((label) => markup`<th scope="col">${label}</th>`)}</tr></thead>
<tbody><tr><th scope="row">verdict</th>${all.outcomes.map((outcome) => markup`<td class="${outcome === 'PASSED' ? 'good' : 'bad'}">${outcome}</td>`)}</tr></tbody>
${rowsOf('Throughput', throughput, labels.length)}${rowsOf('Latency from the schedule', latency, labels.length)}${rowsOf('CPU', cpu, labels.length)}${rowsOf('What made the load', generators, labels.length)}</table>
</div>
${reasonsOf(all)}</body>
</html>
`.toString();
}

function rowsOf(title: string, rows: readonly SideRow[], columns: number): Markup {
  return markup`<tbody class="head"><tr><th colspan="${columns + 1}">${title}</th></tr></tbody>
<tbody>
${rows.map(
  (
    row,
  ) => markup`<tr><th scope="row">${rowTitle(row)}</th>${cellsOf(row).map((cell) => markup`<td>${cell}</td>`)}</tr>
`,
)}</tbody>
`;
}

function reasonsOf({ labels, reasons }: SideBySide): Markup {
  const lines = labels.flatMap((label, side) =>
    reasons[side]!.map(
      (reason) => markup`<li>${label}: ${reason}</li>
`,
    ),
  );
  if (lines.length === 0) return markup``;
  return markup`<h2>What the verdicts say</h2>
<ul>
${lines}</ul>
`;
}
