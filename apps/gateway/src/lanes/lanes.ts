import { TidingsError } from '@tidings/protocol/errors';
import type { Lane, ShedFrame } from '@tidings/protocol/lanes';
import type { Logger } from '@tidings/common/runtime/logger';
import { textFrame } from '../socket/text-frame';
import {
  lanesOf,
  nextShedding,
  NOTHING_SHED,
  type Pressure,
  type Shedding,
  type Thresholds,
} from './lane-rules';
import type { LaneMetrics } from './lane.metrics';

const LOOK_MS = 1_000;
/** A refused message may come again after this time, and up to twice as much more, milliseconds. */
const TEXT_RETRY_MS = 1_000;

export interface LanesParts {
  thresholds: Thresholds;
  /** What is measured now. */
  measure: () => Pressure;
  /** Told when other lanes are shed than before; `frame`: the encoded `shed` for clients. */
  changed: (frame: Buffer) => void;
  metrics: Pick<LaneMetrics, 'looked' | 'changed'>;
  logger: Pick<Logger, 'warn' | 'info'>;
  random: () => number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** What this gateway does less of while it has too much to do: the one place where that is asked. */
export class Lanes {
  private state: Shedding = NOTHING_SHED;
  private shed: readonly Lane[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: LanesParts) {}

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Whether this lane is shed. */
  sheds(lane: Lane): boolean {
    return this.shed.includes(lane);
  }

  /** The error for a message when nothing else has helped; null: it is taken. */
  textRefusal(): TidingsError | null {
    if (!this.state.text) return null;
    const retryAfterMs = Math.round(TEXT_RETRY_MS * (1 + 2 * this.parts.random()));
    return new TidingsError('busy', { retryAfterMs });
  }

  /** What others are told of this gateway. */
  get shedding(): { lanes: Lane[]; text: boolean } {
    return { lanes: [...this.shed], text: this.state.text };
  }

  /** The encoded `shed` for a client that comes now; null: all is normal. */
  get greeting(): Buffer | null {
    return this.shed.length > 0 ? shedFrameOf(this.shed) : null;
  }

  /** Measures and judges; once a second. */
  look(): void {
    const { measure, thresholds, metrics, clock } = this.parts;
    const pressure = measure();
    const before = this.state;
    this.state = nextShedding(before, pressure, thresholds, clock());
    metrics.looked(pressure);
    if (before.level === this.state.level && before.text === this.state.text) return;
    this.shed = lanesOf(this.state);
    const { lanes, text } = this.shedding;
    metrics.changed(lanes, text);
    const more = this.state.level > before.level || (this.state.text && !before.text);
    const line = { lanes, text, ...pressure };
    if (more) this.parts.logger.warn(line, 'sheds more: there is too much to do');
    else this.parts.logger.info(line, 'sheds less');
    if (before.level !== this.state.level) this.parts.changed(shedFrameOf(this.shed));
  }
}

function shedFrameOf(lanes: readonly Lane[]): Buffer {
  const frame: ShedFrame = { type: 'shed', lanes: [...lanes] };
  return textFrame(JSON.stringify(frame));
}
