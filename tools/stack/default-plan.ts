import { StackError } from './paths';
import { isFree } from './ports';
import {
  type PlannedNode,
  type PortBases,
  type ServiceCounts,
  type ServiceName,
  DEFAULT_COUNTS,
  SERVICES,
  defaultPorts,
  portBases,
} from './service-plan';

/** How far other bases are looked for, and how far they lie apart. */
const OTHER_BASES = 50;
const BASE_STEP = 100;

/**
 * The instances at their usual ports.
 * @throws StackError that names every port that is taken, and a command for ports that are free
 */
export async function freeDefaultPlan(
  counts: ServiceCounts,
  env: NodeJS.ProcessEnv,
): Promise<PlannedNode[]> {
  const bases = portBases(env);
  const plan = defaultPorts(counts, bases);
  const taken = await takenOf(plan);
  if (taken.length === 0) return plan;
  throw new StackError(takenText(taken, await otherBases(counts, bases), counts, env));
}

async function takenOf(plan: readonly PlannedNode[]): Promise<PlannedNode[]> {
  const free = await Promise.all(plan.map(({ port }) => isFree(port)));
  return plan.filter((_, index) => !free[index]);
}

/** The next bases from which all ports are free; undefined when none were found. */
async function otherBases(counts: ServiceCounts, bases: PortBases): Promise<PortBases | undefined> {
  for (let step = 1; step <= OTHER_BASES; step++) {
    const gateway = bases.gateway + step * BASE_STEP;
    const admin = bases.admin + step * BASE_STEP;
    if (Math.max(gateway, admin) > 65_000) return undefined;
    const taken = await takenOf(defaultPorts(counts, { gateway, admin }));
    if (taken.length === 0) return { gateway, admin };
  }
  return undefined;
}

function takenText(
  taken: readonly PlannedNode[],
  others: PortBases | undefined,
  counts: ServiceCounts,
  env: NodeJS.ProcessEnv,
): string {
  const list = taken.map(({ port, id }) => `${port} (${id})`).join(', ');
  const what =
    taken.length === 1
      ? `Port ${list} is taken by another program`
      : `Ports ${list} are taken by other programs`;
  const choice =
    others === undefined
      ? 'or choose others with GATEWAY_PORT and ADMIN_PORT_BASE.'
      : `or start on ports that are free:\n  ${commandFor(others, counts, env)}`;
  return `${what}: stop ${taken.length === 1 ? 'it' : 'them'}, ${choice}`;
}

/** The whole command, as it was given, with other bases. */
function commandFor(bases: PortBases, counts: ServiceCounts, env: NodeJS.ProcessEnv): string {
  const variables = [`GATEWAY_PORT=${bases.gateway}`, `ADMIN_PORT_BASE=${bases.admin}`];
  if (env.TIDINGS_DATA_DIR) variables.unshift(`TIDINGS_DATA_DIR=${quoted(env.TIDINGS_DATA_DIR)}`);
  const options = SERVICES.filter((service) => counts[service] !== DEFAULT_COUNTS[service]).map(
    (service: ServiceName) => `--${service}s ${counts[service]}`,
  );
  const rest = options.length === 0 ? '' : ` -- ${options.join(' ')}`;
  return `${variables.join(' ')} npm start${rest}`;
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
