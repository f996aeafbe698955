import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { WriterHooks } from '@tidings/common/kafka/writer/log-writer';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { HashCalls } from './auth/hash-calls';
import type { InboxDelivery } from './deliver/inbox-delivery';
import type { AccountNews } from '@tidings/common/redis/account-news';
import type { VisibilityNews } from '@tidings/common/redis/visibility-news';
import { LaneMetrics } from './lanes/lane.metrics';
import { PresenceFrameMetrics } from './presence/presence.metrics';
import type { PresenceEvents } from './socket/presence-events';
import { ReceiptMetrics } from './receipts/receipt.metrics';
import type { MediaParts } from './media/media.parts';
import type { SendCounts } from './send/send-counts';
import type { ConnectionTable } from './socket/connection-table';
import type { HoldingWriter } from './spool/holding-writer';
import type { SpoolStore } from './spool/spool-store';
import { TypingMetrics } from './typing/typing.metrics';

const FLUSH_MS = 1_000;
const NS_PER_SECOND = 1e9;

/** What is counted, with plain numbers where messages pass, handed over once a second. */
export interface Counted {
  table: ConnectionTable;
  sends: SendCounts;
  delivery: InboxDelivery;
  presence: PresenceEvents;
  news: AccountNews;
  visibility: VisibilityNews;
  hashCalls: HashCalls;
  queued: () => number;
  media: Pick<MediaParts, 'slots' | 'images'>;
  spool: {
    store: Pick<SpoolStore, 'entries' | 'bytes' | 'oldestAt'>;
    holding: Pick<HoldingWriter, 'heldTotal' | 'drained'>;
  };
}

/** The gateway's metrics. */
export class GatewayMetrics {
  readonly closed;
  readonly receipts: ReceiptMetrics;
  readonly typing: TypingMetrics;
  readonly presence: PresenceFrameMetrics;
  readonly lanes: LaneMetrics;
  readonly uploads;
  readonly presenceKeptBack;
  readonly bounded;
  readonly rateLimited;
  readonly ratesAlone;
  private readonly appendSeconds;
  private readonly appended;
  private readonly appendFailures;
  private readonly delay = monitorEventLoopDelay({ resolution: 10 });
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly metrics: Metrics) {
    this.closed = metrics.counter('connections_closed_total', 'Closed by the gateway, by code', [
      'code',
    ]);
    this.receipts = new ReceiptMetrics(metrics);
    this.typing = new TypingMetrics(metrics);
    this.presence = new PresenceFrameMetrics(metrics);
    this.lanes = new LaneMetrics(metrics);
    this.uploads = metrics.counter('media_uploads_total', 'Uploads: ok, or the refusal', [
      'outcome',
    ]);
    this.presenceKeptBack = metrics.counter(
      'presence_frames_kept_back_total',
      'Frames about somebody else whom the user may not see, or of whom nobody can tell',
      ['why'],
    );
    this.bounded = metrics.counter(
      'http_bounded_total',
      'Requests and connections that were ended for being slow or too many at once; left: changes whose sender had gone; early: what came before the gateway could answer it',
      ['reason'],
    );
    this.rateLimited = metrics.counter('rate_limited_total', 'Frames and calls refused, by rate', [
      'rate',
    ]);
    this.ratesAlone = metrics.counter(
      'rates_alone_total',
      'Questions about a rate that Redis did not answer: counted by this gateway alone',
    );
    this.appendSeconds = metrics.histogram('append_seconds', 'Produce requests, until answered');
    this.appended = metrics.counter('appended_records_total', 'Records appended to the log');
    this.appendFailures = metrics.counter(
      'append_failures_total',
      'Batches that were not answered with an offset',
      ['unknown'],
    );
  }

  /** Hooks for the writer of the conversation log; called per request. */
  writerHooks(): WriterHooks {
    return {
      onBatch: ({ records, latencyMs }) => {
        this.appended.inc(records);
        this.appendSeconds.observe(latencyMs / 1000);
      },
      onFailure: ({ unknown }) => this.appendFailures.inc({ unknown: String(unknown) }),
    };
  }

  /** Begins to report what is counted. */
  start(counted: Counted): void {
    const { metrics, delay } = this;
    const { table, sends, delivery, presence, news } = counted;
    metrics.gauge('connections', 'Open sockets', { collect: () => table.size });
    metrics.gauge('append_queued_records', 'Records waiting for the log', {
      collect: counted.queued,
    });
    metrics.gauge(
      'event_loop_delay_p99_seconds',
      'Delay of the event loop since the last reading',
      {
        collect: () => {
          const seconds = delay.percentile(99) / NS_PER_SECOND;
          delay.reset();
          return seconds;
        },
      },
    );
    const { hashCalls } = counted;
    metrics.gauge('hash_calls_queued', 'Logins and the like that wait for their turn', {
      collect: () => hashCalls.load.queued,
    });
    metrics.gauge('hash_calls_refused', 'Logins and the like that found their line full', {
      collect: () => hashCalls.load.refused,
    });
    const heldSends = this.startSpool(counted.spool);
    this.startMedia(counted.media);
    const delivered = metrics.counter('frames_delivered_total', 'Pushes written to sockets');
    const missed = metrics.counter('frames_missed_total', 'Pushes for sockets that are gone');
    const skipped = metrics.counter('inbox_items_skipped_total', 'Inbox items of unknown kind');
    const expired = metrics.counter('frames_expired_total', 'Pushes that were over when they came');
    const repeated = metrics.counter(
      'frames_repeated_total',
      'Pushes for everybody that were handed out before',
    );
    const dropped = metrics.counter(
      'presence_events_dropped_total',
      'Events of presence that the log did not take',
    );
    const unsaid = metrics.counter(
      'account_news_dropped_total',
      'News of accounts that found too many under way',
    );
    const unjudged = metrics.counter(
      'visibility_news_dropped_total',
      'News of who may see whom that found too many under way',
    );
    delay.enable();
    this.timer = setInterval(() => {
      sends.flush();
      delivered.inc(delivery.delivered);
      missed.inc(delivery.missed);
      skipped.inc(delivery.skipped);
      expired.inc(delivery.expired);
      repeated.inc(delivery.repeated);
      dropped.inc(presence.dropped);
      unsaid.inc(news.dropped);
      unjudged.inc(counted.visibility.dropped);
      news.dropped = counted.visibility.dropped = 0;
      heldSends();
      delivery.delivered = delivery.missed = delivery.skipped = 0;
      delivery.expired = delivery.repeated = 0;
      presence.dropped = 0;
    }, FLUSH_MS).unref();
  }

  private startMedia({ slots, images }: Counted['media']): void {
    const { metrics } = this;
    for (const name of ['uploads', 'downloads'] as const) {
      const transfers = slots[name];
      const running = { collect: (): number => transfers.size };
      metrics.gauge(`media_${name}_running`, `Places for ${name} that are taken`, running);
      const taken = { collect: (): number => transfers.taken };
      metrics.gauge(
        `media_${name}_displaced`,
        `Slow ${name} that made room, since the start`,
        taken,
      );
    }
    const waiting = { collect: (): number => images.turns.queued };
    metrics.gauge('media_images_waiting', 'Images that wait to be worked on', waiting);
    const refused = { collect: (): number => images.turns.refused };
    metrics.gauge(
      'media_images_refused',
      'Images that found the queue full or slow, since the start',
      refused,
    );
  }

  /** Gives what hands over the sends that were held since the last time. */
  private startSpool({ store, holding }: Counted['spool']): () => void {
    const { metrics } = this;
    const ageSeconds = (): number => {
      const { oldestAt } = store;
      return oldestAt === null ? 0 : Math.max(0, Date.now() - oldestAt) / 1000;
    };
    metrics.gauge('spool_entries', 'Messages held on disk', { collect: () => store.entries });
    metrics.gauge('spool_bytes', 'Bytes of the spool', { collect: () => store.bytes });
    metrics.gauge('spool_age_seconds', 'Age of the oldest held message', { collect: ageSeconds });
    const held = metrics.counter('held_total', 'Sends answered with held');
    const drained = metrics.counter('spool_drained_total', 'Messages that have left the disk');
    const batches = metrics.counter(
      'spool_drain_batches_total',
      'Batches in which messages have left the disk',
    );
    let counted = { held: 0, entries: 0, batches: 0 };
    return () => {
      const now = { held: holding.heldTotal, ...holding.drained };
      held.inc(now.held - counted.held);
      drained.inc(now.entries - counted.entries);
      batches.inc(now.batches - counted.batches);
      counted = now;
    };
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.delay.disable();
  }
}
