import { type Markup, markup } from './markup';

/** Values of one kind, one for each group of bars; null: not known. */
interface Series {
  name: string;
  values: readonly (number | null)[];
}

/** What a chart shows. */
export interface ChartPlan {
  title: string;
  unit: string;
  digits: number;
  /** names of the groups, from left to right */
  groups: readonly string[];
  series: readonly Series[];
  /** the series of a group stand on each other, instead of beside each other */
  stacked: boolean;
}

const WIDTH = 460;
const HEIGHT = 240;
const TOP = 24;
const BOTTOM = 28;
/** Part of a group's width that its bars take. */
const FILLED = 0.7;
/** Colours that the page's style has: classes `c0` and so on. */
export const COLOURS = 8;

/** Bars in groups, as an SVG that needs nothing but the page's style. */
export function barChart(plan: ChartPlan): Markup {
  const { title, unit, groups, series } = plan;
  const tallest = Math.max(...groups.map((_, group) => heightOf(plan, group)), 0);
  const scale = tallest > 0 ? (HEIGHT - TOP - BOTTOM) / tallest : 0;
  return markup`<figure>
<figcaption>${title} <small>${unit}</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
<line class="axis" x1="0" y1="${HEIGHT - BOTTOM}" x2="${WIDTH}" y2="${HEIGHT - BOTTOM}"/>
${groups.map((_, group) => groupOf(plan, group, scale))}</svg>
<ul class="legend">${series.map(({ name }, i) => markup`<li class="c${i % COLOURS}">${name}</li>`)}</ul>
</figure>
`;
}

/** How high a group gets: the sum of what stands on each other, or the largest. */
function heightOf({ series, stacked }: ChartPlan, group: number): number {
  const values = series.map(({ values: all }) => all[group] ?? 0);
  return stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values, 0);
}

function groupOf(plan: ChartPlan, group: number, scale: number): Markup {
  const { groups, series, stacked, digits } = plan;
  const slot = WIDTH / groups.length;
  const left = slot * (group + (1 - FILLED) / 2);
  const width = (slot * FILLED) / (stacked ? 1 : series.length);
  let base = HEIGHT - BOTTOM;
  const bars = series.map(({ name, values }, i) => {
    const value = values[group] ?? null;
    if (value === null) return markup``;
    const height = Math.max(0, value * scale);
    const x = stacked ? left : left + i * width;
    const y = base - height;
    if (stacked) base = y;
    const label = value.toFixed(digits);
    return markup`<rect class="c${i % COLOURS}" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}"><title>${groups[group]}, ${name}: ${label}</title></rect>
${stacked ? markup`` : above(x + width / 2, y, label)}`;
  });
  const middle = slot * (group + 0.5);
  const total = stacked ? above(middle, base, heightOf(plan, group).toFixed(digits)) : markup``;
  return markup`${bars}${total}<text x="${at(middle)}" y="${HEIGHT - 8}">${groups[group]}</text>
`;
}

function above(x: number, y: number, text: string): Markup {
  return markup`<text x="${at(x)}" y="${at(y - 5)}">${text}</text>
`;
}

function at(value: number): string {
  return value.toFixed(1);
}
