import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Buckets for latencies in seconds: half a millisecond to ten seconds. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/**
 * One registry per process. The owners of labelled metrics bind the children once and count per
 * batch, so that metrics cost nothing per message.
 */
export class Metrics {
  readonly registry = new Registry();

  constructor(labels: { service: string; node: string }) {
    this.registry.setDefaultLabels(labels);
    collectDefaultMetrics({ register: this.registry });
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({
      name: `tidings_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
    });
  }

  gauge<L extends string>(
    name: string,
    help: string,
    options: { labelNames?: readonly L[]; collect?: () => number } = {},
  ): Gauge<L> {
    const { collect } = options;
    return new Gauge<L>({
      name: `tidings_${name}`,
      help,
      labelNames: [...(options.labelNames ?? [])],
      registers: [this.registry],
      ...(collect && {
        collect(this: Gauge<L>) {
          this.set(collect());
        },
      }),
    });
  }

  /** A gauge that is 1 for each value of its label that `collect` names at a reading, and has no others. */
  flags<L extends string>(
    name: string,
    help: string,
    label: L,
    collect: () => Iterable<string>,
  ): Gauge<L> {
    return new Gauge<L>({
      name: `tidings_${name}`,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect(this: Gauge<L>) {
        this.reset();
        for (const value of collect()) this.labels(value).set(1);
      },
    });
  }

  histogram<L extends string>(
    name: string,
    help: string,
    options: { labelNames?: readonly L[]; buckets?: number[] } = {},
  ): Histogram<L> {
    return new Histogram({
      name: `tidings_${name}`,
      help,
      labelNames: [...(options.labelNames ?? [])],
      buckets: options.buckets ?? LATENCY_BUCKETS,
      registers: [this.registry],
    });
  }
}
