import { setTimeout as delay } from 'node:timers/promises';
import type { LoadOptions } from './args';
import { Generators } from './generators';
import { collectGarbage } from './inspector';
import type { Pipeline } from './pipeline';
import { residentBytes } from './processes';
import type { Target, TargetNode } from './target';

const KIB = 1024;
const CONNECT_CONCURRENCY = 64;
/** Between the last connect and the measurement: replies, timers and garbage settle. */
const SETTLE_MS = 3000;

/** One gateway's memory at the two numbers of connections. */
interface IdleFigure {
  gateway: string;
  connections: [number, number];
  residentBytes: [number, number];
  /** resident bytes per further connection, after forced garbage collection */
  bytesPerConnection: number;
}

/** Result of the idle workload. */
export interface IdleReport {
  figures: IdleFigure[];
  connectMs: [number, number];
  /** bytes of Redis per further connection */
  redisPerConnection: number;
}

interface Step {
  byGateway: Record<string, number>;
  resident: Map<string, number>;
  redisBytes: number;
  ms: number;
}

/** Opens some, then more idle authenticated connections, and measures what the gateways hold for each. */
export async function measureIdle(
  target: Target,
  pipeline: Pipeline,
  options: LoadOptions & { idle: [number, number] },
  abort: AbortSignal,
): Promise<IdleReport> {
  abort.throwIfAborted();
  const gateways = target.nodes.filter(({ service }) => service === 'gateway');
  const { pin } = options;
  const generators = new Generators({ count: options.generators, pin }, [], () => undefined);
  const onAbort = (): void => void generators.stop();
  abort.addEventListener('abort', onAbort);
  const { entrance, devices } = pipeline;
  const [few, many] = options.idle;
  const step = async (from: number, to: number): Promise<Step> => {
    const plan = { entrance, devices: devices.slice(from, to), concurrency: CONNECT_CONCURRENCY };
    const { byGateway, ms } = await generators.connect(plan, from);
    await delay(SETTLE_MS);
    const stores = await pipeline.footprint?.().catch(() => null);
    const redisBytes = stores?.redisBytes ?? Number.NaN;
    return { byGateway, ms, redisBytes, resident: await residentOf(gateways) };
  };
  try {
    const first = await step(0, few);
    const second = await step(few, many);
    return {
      figures: gateways.map((gateway) => figure(gateway, first, second)),
      connectMs: [first.ms, second.ms],
      redisPerConnection: (second.redisBytes - first.redisBytes) / (many - few),
    };
  } finally {
    abort.removeEventListener('abort', onAbort);
    await generators.stop();
  }
}

/** One after the other: they would all open their inspector on the same port. */
async function residentOf(gateways: readonly TargetNode[]): Promise<Map<string, number>> {
  const resident = new Map<string, number>();
  for (const { id, pid } of gateways) {
    await collectGarbage(pid);
    resident.set(id, residentBytes(pid));
  }
  return resident;
}

function figure(gateway: TargetNode, first: Step, second: Step): IdleFigure {
  const host = new URL(gateway.url).host;
  const connections: [number, number] = [first.byGateway[host] ?? 0, second.byGateway[host] ?? 0];
  const resident: [number, number] = [
    first.resident.get(gateway.id) ?? 0,
    second.resident.get(gateway.id) ?? 0,
  ];
  const more = connections[1] - connections[0];
  return {
    gateway: gateway.id,
    connections,
    residentBytes: resident,
    bytesPerConnection: more > 0 ? (resident[1] - resident[0]) / more : Number.NaN,
  };
}

/** The report as a table. */
export function idleText(report: IdleReport): string {
  const mib = (bytes: number): string => (bytes / KIB / KIB).toFixed(1);
  const lines = report.figures.map(
    ({ gateway, connections, residentBytes: bytes, bytesPerConnection }) =>
      `   ${gateway.padEnd(12)} ${connections.join(' → ')} connections  ${bytes.map(mib).join(' → ')} MiB  ` +
      `${(bytesPerConnection / KIB).toFixed(2)} KiB per connection`,
  );
  const seconds = report.connectMs.map((ms) => (ms / 1000).toFixed(1)).join(' s and ');
  return [
    `── idle connections (resident memory after forced GC; connected in ${seconds} s)`,
    ...lines,
    `   Redis: ${report.redisPerConnection.toFixed(0)} bytes per connection`,
    '',
  ].join('\n');
}
