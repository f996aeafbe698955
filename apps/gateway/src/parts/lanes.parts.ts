import type { NodeWatch } from '@tidings/common/nodes/node-watch';
import type { GatewayContext } from '../gateway.context';
import type { Thresholds } from '../lanes/lane-rules';
import { Lanes } from '../lanes/lanes';
import type { GatewayEnv } from '../gateway.env';
import type { BootParts } from './boot.parts';
import type { LogParts } from './log.parts';
import type { SocketParts } from './socket.parts';

/** What lanes look at, and whom they tell: made after them. */
interface LaneNeeds {
  logs: LogParts;
  boot: BootParts;
  sockets: SocketParts;
}

/** What is shed under load, and who hears of it. */
export function makeLanes(
  { env, backends, loopDelay, metrics, logger, clock }: Omit<GatewayContext, 'lanes'>,
  needs: () => LaneNeeds,
): Lanes {
  return new Lanes({
    thresholds: thresholdsOf(env),
    measure: () => {
      const { logs, boot } = needs();
      return {
        loopDelayMs: loopDelay.p99Ms,
        queuedRecords: logs.messages.queued(),
        inboxEntries: boot.boot.inboxEntries,
        lagSeconds: lagSeconds(backends.nodes),
      };
    },
    changed: (frame) => needs().sockets.delivery.lanesChanged(frame),
    metrics: metrics.lanes,
    logger,
    random: Math.random,
    clock,
  });
}

function thresholdsOf(env: GatewayEnv): Thresholds {
  return {
    loopDelayMs: env.SHED_LOOP_DELAY_MS,
    queuedRecords: env.SHED_QUEUED_RECORDS,
    inboxEntries: env.SHED_INBOX_ENTRIES,
    lagSeconds: env.SHED_LAG_SECONDS,
  };
}

/** Age of the oldest record that a group has not applied, as their members say; 0: nobody knows. */
function lagSeconds(nodes: Pick<NodeWatch, 'of'>): number {
  const entries = (['session', 'presence', 'storage'] as const).flatMap((service) => {
    const { known, instances } = nodes.of(service);
    return known ? [...instances] : [];
  });
  const lags = entries.flatMap(({ lag }) => Object.values(lag).map(({ seconds }) => seconds ?? 0));
  return Math.max(0, ...lags);
}
