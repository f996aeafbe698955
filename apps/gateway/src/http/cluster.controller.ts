import { Controller, Get, Ip } from '@nestjs/common';
import type { Cluster } from '@tidings/protocol/admin';
import { NodeWatch } from '@tidings/common/nodes/node-watch';
import type { GroupLag, NodeEntry } from '@tidings/common/redis/directory';
import { Caller, type Principal } from '../auth/principal';
import { DirectoryService } from '../directory/directory.service';
import { StorageClient } from '../service-clients';

const SERVICES = ['session', 'presence', 'storage'] as const;

/** The state of the system, for operators: storage judges whether the caller is one. */
@Controller('cluster')
export class ClusterController {
  constructor(
    private readonly storage: StorageClient,
    private readonly nodes: NodeWatch,
    private readonly directory: DirectoryService,
  ) {}

  @Get()
  async show(@Caller() { userId }: Principal, @Ip() address: string): Promise<Cluster> {
    const by = { actor: userId, origin: address };
    const { leaders } = await this.storage.call('admin.cluster', { by });
    const found = SERVICES.map((service) => this.nodes.of(service));
    const entries = found.flatMap(({ known, instances }) => (known ? [...instances] : []));
    return {
      phase: phaseOf(leaders, entries),
      leaders,
      nodes: entries.map(({ id, service, bootId, version, state }) => ({
        id,
        service,
        bootId,
        version,
        state,
      })),
      lag: lagOf(entries),
      shedding: await this.directory.shedding(),
    };
  }
}

/** Without Redis nobody knows better than what the row says. */
export function phaseOf(
  leaders: Cluster['leaders'],
  entries: readonly NodeEntry[],
): Cluster['phase'] {
  const storages = entries.filter(({ service }) => service === 'storage');
  if (entries.length > 0 && !storages.some(({ state }) => state === 'ready')) return 'joining';
  const leader = leaders.find(({ service }) => service === 'storage');
  if (!leader) return 'electing';
  const lives = storages.some(({ bootId }) => bootId === leader.bootId);
  return entries.length === 0 || lives ? 'normal' : 'electing';
}

/** Of each group: the records of all its members' partitions, and the oldest of them. */
export function lagOf(entries: readonly NodeEntry[]): Cluster['lag'] {
  const all: Record<string, GroupLag> = {};
  for (const { lag } of entries) {
    for (const [group, { records, seconds }] of Object.entries(lag)) {
      const before = all[group];
      all[group] = {
        records: (before?.records ?? 0) + records,
        seconds: oldest(before === undefined ? 0 : before.seconds, seconds),
      };
    }
  }
  return all;
}

/** Null is unknown: it makes the whole unknown. */
function oldest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}
