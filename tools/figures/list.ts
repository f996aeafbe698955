import { GENERATOR } from '../load/usage';
import type { FigureRun } from './figure-file';

/** A row of a figure's table. */
export interface Row {
  title: string;
  /** undefined: this run has none */
  of: (run: FigureRun) => number | undefined;
  /** What it should be at most; by variant where they differ. */
  goal?: number | Record<string, number>;
}

/** A figure that docs/PERFORMANCE.md shows. */
export interface Figure {
  name: string;
  /** what is measured, in words */
  title: string;
  /** options of `npm run load`; null: the starts */
  load: string | null;
  /** how often it is measured; a load that cannot do that by itself is called as often */
  runs: 'by the load tool' | 'call by call';
  /** columns: what the runs call themselves, and the heading */
  variants: Record<string, string>;
  rows: Row[];
  /** folders and files whose change makes it old */
  sources: string[];
}

/** Runs of every figure. */
export const RUNS = 3;

const SERVICES = [
  'apps/gateway',
  'apps/presence',
  'apps/session',
  'apps/storage',
  'libs/common',
  'libs/protocol',
];
/** How services are started, the packages, and what measures. */
const AROUND = ['package.json', 'tools/load/generator', 'tools/stack/service-flags.ts'];
const PRODUCT = [...SERVICES, ...AROUND];
const BARE = ['tools/load/baseline'];

const latency =
  (name: string, quantile: 'p50' | 'p90' | 'p99') =>
  (run: FigureRun): number | undefined =>
    run.latencyMs[name]?.[quantile];

const counted =
  (name: string) =>
  (run: FigureRun): number | undefined =>
    run.counts[name];

/** What changes of presence do to the messages' p99. */
function churnRatio(run: FigureRun): number | undefined {
  const calm = latency('delivered, calm', 'p99')(run);
  const churn = latency('delivered, churn', 'p99')(run);
  return calm === undefined || churn === undefined ? undefined : churn / calm;
}

/** CPU of everything but the generator. */
function serversUs({ cpuUs }: FigureRun): number | undefined {
  const servers = Object.entries(cpuUs).filter(([name]) => name !== GENERATOR);
  return servers.length === 0 ? undefined : servers.reduce((sum, [, us]) => sum + us, 0);
}

const DELIVERED: Row[] = [
  { title: 'send → sent p50 ms', of: latency('sent', 'p50') },
  { title: 'send → sent p99 ms', of: latency('sent', 'p99') },
  { title: 'send → delivered p50 ms', of: latency('delivered', 'p50') },
  { title: 'send → delivered p99 ms', of: latency('delivered', 'p99') },
  { title: 'send → stored p50 ms', of: latency('stored', 'p50') },
  { title: 'send → stored p99 ms', of: latency('stored', 'p99') },
  { title: 'CPU of all servers, µs per message', of: serversUs },
];

/** The same rows, one of them with a goal of the product. */
function withGoal(title: string, product: number): Row[] {
  return DELIVERED.map((row) => (row.title === title ? { ...row, goal: { product } } : row));
}

const COMPARED = { baseline: 'bare pipeline', product: 'product' };
const NEW = 'connect, first sync of a new device';
const EQUAL = 'connect, equal digests';
const POST = 'POST /v1/sync, equal digests';
const LEAVE = 'connect, equal digests, disconnect';

/** Everything that is measured by `npm run figures`, in its order. */
export const FIGURES: readonly Figure[] = [
  {
    name: 'pairs-1000',
    title: '1 000 msg/s in pairs',
    load: '--compare --rate 1000 --warmup 20 --seconds 30',
    runs: 'by the load tool',
    variants: COMPARED,
    rows: withGoal('send → delivered p99 ms', 40),
    sources: [...PRODUCT, ...BARE],
  },
  {
    name: 'pairs-4000',
    title: '4 000 msg/s in pairs',
    load: '--compare --rate 4000 --warmup 12 --seconds 15',
    runs: 'by the load tool',
    variants: COMPARED,
    rows: DELIVERED,
    sources: [...PRODUCT, ...BARE],
  },
  {
    name: 'pairs-8000',
    title: '8 000 msg/s in pairs',
    load: '--compare --rate 8000 --warmup 20 --seconds 20',
    runs: 'by the load tool',
    variants: COMPARED,
    rows: withGoal('send → delivered p99 ms', 100),
    sources: [...PRODUCT, ...BARE],
  },
  {
    name: 'bare-14000',
    title: '14 000 msg/s in pairs, bare pipeline alone',
    load: '--baseline --rate 14000 --warmup 15 --seconds 15 --drain 20',
    runs: 'by the load tool',
    variants: { baseline: 'bare pipeline' },
    rows: DELIVERED,
    sources: [...AROUND, ...BARE],
  },
  {
    name: 'group-1000',
    title: 'A group of 1 000, 500 of them connected, 20 msg/s',
    load: '--workload groups --group-size 1000 --online 500 --rate 20 --warmup 10 --seconds 20',
    runs: 'by the load tool',
    variants: { product: 'product' },
    rows: withGoal('send → delivered p99 ms', 200),
    sources: PRODUCT,
  },
  {
    name: 'groups-10',
    title: 'Groups of 10, 30 000 deliveries/s',
    load: '--workload groups --group-size 10 --deliveries 30000 --warmup 15 --seconds 20',
    runs: 'by the load tool',
    variants: { product: 'product' },
    rows: withGoal('send → delivered p99 ms', 200),
    sources: PRODUCT,
  },
  {
    name: 'receipts',
    title: 'Everybody reads within 5 s, 2 000 msg/s in pairs',
    load: '--workload receipts --rate 2000 --warmup 10 --seconds 15',
    runs: 'by the load tool',
    variants: { product: 'nobody reads', 'everybody reads': 'everybody reads' },
    rows: [
      { title: 'send → delivered p50 ms', of: latency('delivered', 'p50') },
      { title: 'send → delivered p99 ms', of: latency('delivered', 'p99') },
      { title: 'read → shown p50 ms', of: latency('read → shown', 'p50') },
      { title: 'read → shown p99 ms', of: latency('read → shown', 'p99'), goal: 3000 },
      { title: 'CPU of all servers, µs per message', of: serversUs },
    ],
    sources: PRODUCT,
  },
  {
    name: 'connects',
    title: '50 connects/s, 50 conversations each',
    load: '--workload connects --rate 50 --warmup 8 --seconds 15',
    runs: 'by the load tool',
    variants: { [NEW]: 'new devices', [EQUAL]: 'equal digests' },
    rows: [
      { title: 'schedule → ticket p50 ms', of: latency('ticket', 'p50') },
      { title: 'schedule → ticket p99 ms', of: latency('ticket', 'p99') },
      { title: 'upgrade → synced p50 ms', of: latency('upgraded', 'p50') },
      {
        title: 'upgrade → synced p99 ms',
        of: latency('upgraded', 'p99'),
        goal: { [NEW]: 150, [EQUAL]: 40 },
      },
      { title: 'schedule → ticket → synced p50 ms', of: latency('synced', 'p50') },
      { title: 'schedule → ticket → synced p99 ms', of: latency('synced', 'p99') },
      { title: 'CPU of all servers, µs per connect', of: serversUs },
    ],
    sources: PRODUCT,
  },
  {
    name: 'sync-http',
    title: 'Syncs with equal digests, 20/s',
    load: '--workload sync-http --rate 20 --warmup 4 --seconds 15',
    runs: 'by the load tool',
    variants: { [POST]: '`POST /v1/sync`', [LEAVE]: 'connect, `same`, disconnect' },
    rows: [
      { title: 'schedule → answer p50 ms', of: latency('synced', 'p50') },
      { title: 'schedule → answer p99 ms', of: latency('synced', 'p99'), goal: 100 },
      { title: 'schedule → closed p99 ms', of: latency('closed', 'p99') },
      { title: 'CPU of all servers, µs per sync', of: serversUs },
    ],
    sources: PRODUCT,
  },
  {
    name: 'presence',
    title:
      '2 000 users who watch 20 each; 200 changes, 10 closes and connects, 200 messages per second',
    load: '--workload presence --warmup 30 --seconds 120',
    runs: 'by the load tool',
    variants: { product: 'product' },
    rows: [
      { title: 'state → seen p50 ms', of: latency('state → seen', 'p50') },
      { title: 'state → seen p99 ms', of: latency('state → seen', 'p99'), goal: 500 },
      { title: 'close → seen p99 ms', of: latency('close → seen', 'p99') },
      { title: 'connect → seen p99 ms', of: latency('connect → seen', 'p99') },
      { title: 'send → delivered p99 ms, no changes', of: latency('delivered, calm', 'p99') },
      { title: 'send → delivered p99 ms, changes', of: latency('delivered, churn', 'p99') },
      { title: 'changes : no changes', of: churnRatio, goal: 1.5 },
      { title: 'cores of all servers, no changes', of: counted('cores without changes') },
      { title: 'cores of all servers, changes', of: counted('cores with changes') },
      { title: 'CPU of all servers, µs per change', of: serversUs },
    ],
    sources: PRODUCT,
  },
  {
    name: 'idle',
    title: 'Idle connections, 2 000 → 12 000',
    load: '--idle 2000,12000',
    runs: 'call by call',
    variants: { product: 'product' },
    rows: [
      {
        title: 'resident bytes per connection, the larger gateway',
        of: ({ bytesPerConnection }) => largest(Object.values(bytesPerConnection)),
        goal: 6656,
      },
    ],
    sources: ['apps/gateway', 'libs/common', ...AROUND],
  },
  {
    name: 'starts',
    title: '`npm start`, packages, servers and build in place',
    load: null,
    runs: 'call by call',
    variants: { first: 'first start', later: 'later start, with data' },
    rows: [
      {
        title: 'until it says that all runs, ms',
        of: ({ counts }) => counts['ms until it runs'],
        goal: { later: 20_000 },
      },
    ],
    sources: [...SERVICES, 'package.json', 'tools/stack'],
  },
];

/** Everything that these figures depend on, once. */
export function sourcesOf(figures: readonly Figure[]): string[] {
  return [...new Set(figures.flatMap(({ sources }) => sources))];
}

function largest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}
