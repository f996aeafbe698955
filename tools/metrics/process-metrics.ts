import { Metrics } from '@tidings/common/runtime/metrics';
import type { RegisteredMetric } from './registered';

/** Of a process, but not on every system and with every Node. */
const NOT_EVERYWHERE =
  /^(?:process_(?:virtual_memory_bytes|heap_bytes|open_fds|max_fds)$|nodejs_active_)/;

/** What a registry has that nothing was added to: about Node and the process. */
export function processMetrics(): Omit<RegisteredMetric, 'file'>[] {
  const { registry } = new Metrics({ service: '', node: '' });
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => !NOT_EVERYWHERE.test(name))
    .map((metric) => {
      // not in the types of prom-client
      const {
        name,
        help,
        type,
        labelNames = [],
      } = metric as unknown as {
        name: string;
        help: string;
        type: RegisteredMetric['type'];
        labelNames?: string[];
      };
      return { name, help, type, labels: labelNames };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
