import { ARCHIVE_NICENESS } from '../../stack/child';
import { serviceFlags } from '../../stack/service-flags';
import type { ServiceName } from '../../stack/service-plan';

/** The kinds of processes of the bare pipeline. */
export type BareKind = 'gateway' | 'router' | 'inserter';

/** The service whose work it does. */
const SERVICE_OF: Record<BareKind, ServiceName> = {
  gateway: 'gateway',
  router: 'session',
  inserter: 'storage',
};

/** How a process of the bare pipeline is started: as the service of the product that it stands for. */
export function startedAs(kind: BareKind): { execArgv: string[]; niceness: number | undefined } {
  const service = SERVICE_OF[kind];
  return {
    // the launcher of a service switches source maps on
    execArgv: [...serviceFlags(service), '--enable-source-maps'],
    niceness: service === 'storage' ? ARCHIVE_NICENESS : undefined,
  };
}
