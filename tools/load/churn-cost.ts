import type { TurnKind } from './generator/turns';
import { GENERATOR, type Reading, type Usage } from './usage';

/** What changes of presence cost, by turns with and without them. */
export interface ChurnCost {
  /** CPU µs per change by `state`, by process: what the turns with changes used more than those without; closes and connects are in it */
  cpuUsPerChange: Record<string, number>;
  /** cores that all servers used together */
  serverCores: Record<TurnKind, number>;
  /** share of one core that the generator used while presence changed */
  generatorShare: number;
}

/** What was used in all turns of one kind. */
interface Used {
  wallUs: number;
  cpuUs: Record<string, number>;
}

/** What `changes` have cost, by the readings at the ends of the turns. */
export function churnCost(readings: readonly Reading[], changes: number): ChurnCost {
  const calm = usedIn(readings, 'calm');
  const churn = usedIn(readings, 'churn');
  const cores = ({ wallUs, cpuUs }: Used, name: string): number =>
    (cpuUs[name] ?? 0) / Math.max(1, wallUs);
  const names = Object.keys(churn.cpuUs);
  const servers = names.filter((name) => name !== GENERATOR);
  const all = (used: Used): number => servers.reduce((sum, name) => sum + cores(used, name), 0);
  return {
    cpuUsPerChange: Object.fromEntries(
      names.map((name) => {
        const more = cores(churn, name) - cores(calm, name);
        return [name, (more * churn.wallUs) / Math.max(1, changes)];
      }),
    ),
    serverCores: { calm: all(calm), churn: all(churn) },
    generatorShare: cores(churn, GENERATOR),
  };
}

/** A turn ends with the next reading, whatever that is for. */
function usedIn(readings: readonly Reading[], kind: TurnKind): Used {
  const used: Used = { wallUs: 0, cpuUs: {} };
  readings.forEach(({ phase, usage: before }, i) => {
    const after = readings[i + 1]?.usage;
    if (phase !== kind || !after) return;
    used.wallUs += (after.atMs - before.atMs) * 1000;
    for (const [name, us] of usedBetween(before, after)) {
      used.cpuUs[name] = (used.cpuUs[name] ?? 0) + us;
    }
  });
  return used;
}

/** A process that has ended took its account with it: NaN. */
function usedBetween(before: Usage, after: Usage): [string, number][] {
  return Object.entries(after.cpuUs).map(([name, cpuUs]) => {
    const us = cpuUs - (before.cpuUs[name] ?? 0);
    return [name, us < 0 ? Number.NaN : us];
  });
}
