import type { Refusal } from '../redis/directory';
import type { Logger } from '../runtime/logger';
import type { Metrics } from '../runtime/metrics';

/** Shows operators which announcements do not count. */
export class DirectoryReport {
  private readonly refusals;

  constructor(
    metrics: Metrics,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {
    this.refusals = metrics.counter(
      'announcements_refused_total',
      'Nodes whose announcement did not count, by list and reason; once until they are well again',
      ['list', 'reason'],
    );
  }

  /** What a directory is created with. */
  of(list: string): (nodeId: string, reason: Refusal) => void {
    return (node, reason) => {
      this.refusals.inc({ list, reason });
      this.logger.warn({ list, node, reason }, 'an announcement does not count');
    };
  }
}
