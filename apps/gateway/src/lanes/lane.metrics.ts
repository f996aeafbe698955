import { LANES, type Lane } from '@tidings/protocol/lanes';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Measure, Pressure } from './lane-rules';

/** Messages are in no lane; this stands for their refusal beside the lanes. */
const TEXT = 'text';
const MEASURES: Readonly<Record<Measure, string>> = {
  loopDelayMs: 'loop_delay_ms',
  queuedRecords: 'queued_records',
  inboxEntries: 'inbox_entries',
  lagSeconds: 'lag_seconds',
};

/** The gateway's figures of what it sheds. */
export class LaneMetrics {
  private readonly pressure;
  private readonly shed;
  private readonly changes;
  private readonly withheldPushes;
  private readonly joinedPushes;
  private before: ReadonlySet<string> = new Set();

  constructor(metrics: Metrics) {
    this.pressure = metrics.gauge('pressure', 'What decides about lanes, as measured last', {
      labelNames: ['measure'],
    });
    this.shed = metrics.gauge('lane_shed', '1: this lane is shed; text: messages are refused', {
      labelNames: ['lane'],
    });
    this.changes = metrics.counter('lane_changes_total', 'Lanes shed and given back', [
      'lane',
      'to',
    ]);
    this.withheldPushes = metrics.counter(
      'lane_withheld_total',
      'Pushes of others that were not handed out, by lane',
      ['lane'],
    );
    this.joinedPushes = metrics.counter(
      'lane_joined_total',
      'Pushes that were put off, so that a later one may take their place, by lane',
      ['lane'],
    );
    this.set(new Set());
  }

  /** What was measured. */
  looked(pressure: Pressure): void {
    for (const [measure, value] of Object.entries(pressure) as [Measure, number][]) {
      this.pressure.set({ measure: MEASURES[measure] }, value);
    }
  }

  /** These lanes are shed now, and messages are refused or not. */
  changed(lanes: readonly Lane[], text: boolean): void {
    const now = new Set<string>(text ? [...lanes, TEXT] : lanes);
    for (const lane of [...LANES, TEXT]) {
      if (now.has(lane) === this.before.has(lane)) continue;
      this.changes.inc({ lane, to: now.has(lane) ? 'shed' : 'normal' });
    }
    this.set(now);
  }

  /** So many pushes were not handed out. */
  withheld(lane: Lane, pushes: number): void {
    this.withheldPushes.inc({ lane }, pushes);
  }

  /** So many pushes were put off. */
  joined(lane: Lane, pushes = 1): void {
    this.joinedPushes.inc({ lane }, pushes);
  }

  private set(now: ReadonlySet<string>): void {
    this.before = now;
    for (const lane of [...LANES, TEXT]) this.shed.set({ lane }, now.has(lane) ? 1 : 0);
  }
}
