import { type ChartPlan, barChart } from './bar-chart';

const plan: ChartPlan = {
  title: 'CPU',
  unit: 'µs',
  digits: 0,
  groups: ['1 gateway', '2 gateways'],
  series: [
    { name: 'gateway', values: [30, 20] },
    { name: 'session', values: [10, null] },
  ],
  stacked: true,
};

/** Of each bar its upper edge, its height and what it says. */
function bars(chart: ChartPlan): [number, number, string][] {
  const found = barChart(chart)
    .toString()
    .matchAll(/<rect [^>]*y="([0-9.-]+)"[^>]*height="([0-9.-]+)"><title>(.*?)<\/title>/g);
  return [...found].map(([, y, height, title]) => [Number(y), Number(height), title!]);
}

describe('barChart', () => {
  it('stacks bars on each other, the tallest group over the whole height', () => {
    expect(bars(plan)).toEqual([
      [71, 141, '1 gateway, gateway: 30'],
      [24, 47, '1 gateway, session: 10'],
      [118, 94, '2 gateways, gateway: 20'],
    ]);
  });

  it('stands them beside each other, the tallest one over the whole height', () => {
    expect(bars({ ...plan, stacked: false }).map(([y, height]) => [y, height])).toEqual([
      [24, 188],
      [149.3, 62.7],
      [86.7, 125.3],
    ]);
  });

  it('draws nothing of nothing', () => {
    expect(bars({ ...plan, series: [{ name: 'none', values: [0, null] }] })).toEqual([
      [212, 0, '1 gateway, none: 0'],
    ]);
    expect(bars({ ...plan, groups: [], series: [] })).toEqual([]);
  });

  it('escapes names', () => {
    const text = barChart({ ...plan, groups: ['<i>', 'b'], title: 'a"b' }).toString();
    expect(text).toContain('<title>&lt;i&gt;, gateway: 30</title>');
    expect(text).toContain('aria-label="a&quot;b"');
    expect(text).not.toContain('<i>');
  });
});
