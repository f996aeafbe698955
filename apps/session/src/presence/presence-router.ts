import type { PresenceChanged } from '@tidings/common/log-events/events';
import type { HandleOutcome, LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { InboxWriter } from '@tidings/common/redis/inbox';
import { encodeInbox, type InboxItem } from '@tidings/common/redis/inbox-codec';
import type { GatewayBoot, Watchers } from '@tidings/common/redis/watchers';
import type { Logger } from '@tidings/common/runtime/logger';
import { backoffCeiling, pause, within } from '@tidings/common/runtime/waiting';
import { readPresenceChanges } from './presence-reader';
import type { PresencePushMetrics } from './presence.metrics';

/** Longest time for one batch, in milliseconds. */
const BATCH_MS = 2_000;
/** First and longest pause before a batch is tried again, in milliseconds. */
const RETRY = { baseMs: 100, maxMs: 2_000 };
/** What comes within this time after a batch is fetched together, in milliseconds. */
const GATHER_MS = 25;
/** Changes in one inbox entry. */
const ENTRY_CHANGES = 500;

export interface PresenceRouterParts {
  watchers: Pick<Watchers, 'of' | 'remove'>;
  inboxes: Pick<InboxWriter, 'append'>;
  metrics: PresencePushMetrics;
  logger: Logger;
  /** Unix milliseconds. */
  now: () => number;
}

/** What one gateway is to be told. */
interface Box extends GatewayBoot {
  changes: PresenceChanged[];
}

/**
 * Hands changes of presence to the gateways whose sockets watch the user: one inbox entry per gateway
 * and batch. Who of the watchers may see it, their gateway knows.
 */
export class PresenceRouter {
  private failures = new Map<number, number>();

  constructor(
    private readonly parts: PresenceRouterParts,
    private readonly gatherMs = GATHER_MS,
  ) {}

  /** Routes one batch. Never throws: what fails is tried again. */
  async handle(batch: LogBatch): Promise<HandleOutcome> {
    const { metrics, logger } = this.parts;
    const { partition } = batch;
    try {
      await within(this.route(batch), BATCH_MS);
      this.failures.delete(partition);
    } catch (error) {
      const failures = this.failures.get(partition) ?? 0;
      this.failures.set(partition, failures + 1);
      metrics.putOff();
      if (failures === 0) logger.warn({ err: error, partition }, 'presence is put off');
      return { retryAfterMs: backoffCeiling(RETRY, failures) };
    }
    await pause(this.gatherMs);
    return { done: true };
  }

  private async route(batch: LogBatch): Promise<void> {
    const { watchers, inboxes, metrics, now } = this.parts;
    const { changes, skipped } = readPresenceChanges(batch.records);
    const boots = await watchers.of(changes.map(({ userId }) => userId));
    const boxes = boxesOf(changes, boots);
    const results = await inboxes.append(boxes.map(entryOf));
    const gone = boxes.filter((_, i) => results[i] === 'gone');
    await Promise.all(
      gone.map((box) =>
        watchers.remove(
          box.changes.map((c) => c.userId),
          box,
        ),
      ),
    );
    metrics.routed({
      skipped,
      unwatched: boots.filter((one) => one.length === 0).length,
      told: results.filter((result) => result === 'ok').length,
      gone: gone.length,
      full: results.filter((result) => result === 'full').length,
      changes: changes.length,
      latencyMs: Math.max(0, now() - batch.records[0]!.timestamp),
    });
  }
}

function boxesOf(
  changes: readonly PresenceChanged[],
  boots: readonly (readonly GatewayBoot[])[],
): Box[] {
  const boxes: Box[] = [];
  const open = new Map<string, Box>();
  changes.forEach((change, i) => {
    for (const boot of boots[i] ?? []) {
      const name = `${boot.gatewayId}|${boot.bootId}`;
      let box = open.get(name);
      if (!box || box.changes.length >= ENTRY_CHANGES) {
        box = { ...boot, changes: [] };
        open.set(name, box);
        boxes.push(box);
      }
      box.changes.push(change);
    }
  });
  return boxes;
}

function entryOf({ gatewayId, bootId, changes }: Box) {
  const items = changes.map((change): InboxItem => {
    return { kind: 'presence', userId: change.userId, presence: JSON.stringify(change) };
  });
  return { gatewayId, bootId, payload: encodeInbox(items) };
}
