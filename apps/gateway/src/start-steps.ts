import { redisProblem } from '@tidings/common/redis/client';
import { refuseEviction } from '@tidings/common/redis/eviction';
import { DirectoryReport } from '@tidings/common/nodes/directory-report';
import { checkTopics, specsOf } from '@tidings/common/kafka/wire/topics';
import { Defects } from '@tidings/common/runtime/defects';
import { CallWatch } from '@tidings/common/rpc/call-watch';
import { logStateOf } from '@tidings/common/rpc/log-state';
import { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import { type Readiness, tellReadiness } from '@tidings/common/runtime/health';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { LoopDelay } from '@tidings/common/runtime/loop-delay';
import type { Logger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { createBackends, type Backends } from './backends';
import { type Gateway, makeGateway } from './gateway';
import type { GatewayEnv } from './gateway.env';
import { GatewayMetrics } from './gateway.metrics';
import { LogPositions } from './send/log-positions';
import { SendCounts } from './send/send-counts';
import { countedOf } from './parts/counted.parts';
import { openSpool, type Spool } from './parts/holding.parts';
import { HttpParts } from './parts/http.parts';
import { FLUSH_MS, startWriters, stopWriters } from './parts/writers.parts';
import { drainWithinMs } from './socket/drain';

/** How long held messages may go on to the log before the sockets are closed, milliseconds. */
const HELD_WITHIN_MS = 5_000;

/** The parts of a gateway process, each with how it starts and stops; `main.ts` has the order. */
export class StartSteps {
  /** when each of them was done */
  readonly timeline: StartTimeline;
  private readonly registry: Metrics;
  private readonly metrics: GatewayMetrics;
  private readonly counts: SendCounts;
  private readonly defects: Defects;
  private readonly answers: ErrorAnswers;
  private readonly calls: CallWatch;
  private readonly backends: Backends;
  private spool!: Spool;
  private gateway!: Gateway;
  private readonly directories: DirectoryReport;
  private readonly loopDelay = new LoopDelay();
  private readonly stopping = new AbortController();
  private readonly http: HttpParts;

  constructor(
    private readonly env: GatewayEnv,
    private readonly logger: Logger,
    private readonly readiness: Readiness,
    /** Ends the process: it must not go on. */
    private readonly fatal: (reason: string, error?: unknown) => void,
  ) {
    this.registry = new Metrics({ service: 'gateway', node: env.NODE_ID });
    tellReadiness(this.registry, readiness);
    this.timeline = new StartTimeline(this.registry, logger, ['ready']);
    this.timeline.done('program');
    this.metrics = new GatewayMetrics(this.registry);
    this.counts = new SendCounts(this.registry);
    this.defects = new Defects(logger, this.registry);
    this.answers = new ErrorAnswers(logger, this.registry);
    this.calls = new CallWatch(this.registry, logger);
    this.directories = new DirectoryReport(this.registry, logger);
    this.backends = createBackends(env, logger, this.calls, this.directories);
    const { defects, answers, metrics } = this;
    const health = { readiness, metrics: this.registry, calls: this.calls };
    this.http = new HttpParts({ env, logger, health, defects, answers, metrics });
  }

  /** Connections to everything else: made when used, ended last. */
  get connections(): Step {
    return {
      name: 'connections',
      start: () => {
        const { redis } = this.backends;
        this.readiness.add('redis', redisProblem(redis));
        if (this.env.NODE_ENV === 'production') {
          refuseEviction(redis, (error) => this.fatal(error.message, error));
        }
        this.backends.nodes.start();
      },
      stop: () => {
        const { redis, storage, presence, nodes } = this.backends;
        nodes.stop();
        redis.disconnect();
        storage.close();
        presence.close();
      },
    };
  }

  /** Health and metrics from the first second; the calls of operators come when clients may. */
  get health(): Step {
    return {
      name: 'health',
      start: () => this.http.openForOperators(),
      stop: () => this.http.closeForOperators(),
    };
  }

  /** What an earlier run left on this node's disk; no other process may have it. */
  get heldMessages(): Step {
    return {
      name: 'spool',
      start: async () => {
        this.spool = await openSpool(this.env, this.logger, () =>
          this.fatal('another process has taken the spool: this one was hung'),
        );
      },
      stop: () => this.spool?.store.close(),
    };
  }

  /** The log: topics as expected, epoch and bases known, writers connected. */
  get log(): Step {
    return {
      name: 'log',
      start: async () => {
        const { env, backends, metrics, counts, spool, logger, defects, answers, fatal } = this;
        const { signal } = this.stopping;
        const { readiness } = this;
        await checkTopics(backends.kafka, specsOf(env), {
          waitUntil: signal,
          awaiting: readiness.awaiting('kafka'),
        });
        const state = await logStateOf(backends.storage, {
          partitions: env.KAFKA_PARTITIONS,
          signal,
          awaiting: readiness.awaiting('storage'),
        });
        const positions = LogPositions.of(state);
        this.gateway = makeGateway({
          env,
          backends,
          positions,
          metrics,
          counts,
          spool,
          logger,
          defects,
          answers,
          directories: this.directories,
          problems: () => this.readiness.problems(),
          registry: this.registry,
          loopDelay: this.loopDelay,
          fatal,
        });
        await startWriters(this.gateway);
        this.loopDelay.start();
        this.readiness.add('directory', () => this.gateway.announcer.problem());
      },
      stop: async () => {
        this.stopping.abort();
        this.loopDelay.stop();
        if (this.gateway) await stopWriters(this.gateway);
      },
    };
  }

  get reporting(): Step {
    return {
      name: 'metrics',
      start: () => this.metrics.start(countedOf(this.gateway, this.spool)),
      stop: () => this.metrics.stop(),
    };
  }

  /** Lease and inbox, and what keeps connections alive. */
  get boot(): Step {
    return {
      name: 'boot',
      start: async () => {
        const { boot, sockets, rates, presence, signs, lanes } = this.gateway;
        await boot.boot.start();
        lanes.start();
        signs?.start();
        boot.routeKeeper.start();
        presence.start();
        sockets.heartbeat.start();
        rates.start();
      },
      stop: async () => {
        const { boot, sockets, rates, presence, signs, lanes } = this.gateway;
        lanes.stop();
        rates.stop();
        presence.stop();
        signs?.stop();
        sockets.heartbeat.stop();
        boot.routeKeeper.stop();
        await boot.boot.stop();
      },
    };
  }

  get listener(): Step {
    return {
      name: 'listener',
      start: async () => {
        await this.gateway.sends.media.start();
        await this.http.openForClients(this.gateway);
      },
      stop: async () => {
        if (await this.http.closeForClients()) this.gateway.sends.media.stop();
      },
    };
  }

  /** Nothing to start: clients come when the directory names this gateway. */
  get clients(): Step {
    return {
      name: 'clients',
      stopWithinMs: drainWithinMs(this.env.DRAIN_SECONDS * 1000) + HELD_WITHIN_MS,
      stop: async () => {
        const { upgrades, delayed, sockets, sends, directory } = this.gateway;
        upgrades.server.drain();
        delayed.stop();
        await sockets.drain.sayGoodbye(await directory.directory.others());
        await sends.holding.stop({ flushMs: FLUSH_MS });
        await sockets.drain.closeAll();
        await this.gateway.announcer.withdraw();
      },
    };
  }

  /** What gateways that are gone have left on a shared volume; nobody else has it meanwhile. */
  get adoption(): Step {
    return {
      name: 'adoption',
      start: () => this.gateway.adoption?.start(),
      stop: () => this.gateway?.adoption?.stop(),
    };
  }

  /** The last step in, the first out: until the last socket is gone the gateway is listed as draining. */
  get directory(): Step {
    return {
      name: 'directory',
      start: () => this.gateway.announcer.start(this.env.PUBLIC_URL ?? this.http.url),
      stop: () => this.gateway?.announcer.drain(),
    };
  }
}
