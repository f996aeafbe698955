import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { checkTopics, specsOf } from '@tidings/common/kafka/wire/topics';
import { Defects } from '@tidings/common/runtime/defects';
import { containServer } from '@tidings/common/runtime/contained-server';
import { CallWatch } from '@tidings/common/rpc/call-watch';
import { logStateOf } from '@tidings/common/rpc/log-state';
import { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import { type HealthParts, mountHealth, type Readiness } from '@tidings/common/runtime/health';
import { InnerListener } from '@tidings/common/runtime/inner-listener';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { nestLogger, type Logger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { createBackends, type Backends } from './backends';
import type { Announcer } from './directory/announcer';
import { type Gateway, makeGateway } from './gateway';
import type { GatewayEnv } from './gateway.env';
import { GatewayMetrics } from './gateway.metrics';
import { GatewayModule, sharedParts } from './gateway.module';
import { BoundedExpressAdapter, configureHttp, listen, serverOf } from './http/http-listener';
import { LogPositions } from './send/log-positions';
import { SendCounts } from './send/send-counts';
import { openSpool, type Spool } from './parts/holding.parts';
import { SOCKET_PATH } from './socket/socket-server';

/** How long records may still be appended when stopping, milliseconds. */
const FLUSH_MS = 3_000;
const DRAIN_WITHIN_MS = 10_000;

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
  private app!: NestExpressApplication;
  private admin: InnerListener | null = null;
  private announcer!: Announcer;
  private readonly stopping = new AbortController();
  private readonly nest;

  constructor(
    private readonly env: GatewayEnv,
    private readonly logger: Logger,
    private readonly readiness: Readiness,
    /** Ends the process: it must not go on. */
    private readonly fatal: (reason: string) => void,
  ) {
    this.registry = new Metrics({ service: 'gateway', node: env.NODE_ID });
    this.timeline = new StartTimeline(this.registry, logger, ['ready']);
    this.timeline.done('program');
    this.metrics = new GatewayMetrics(this.registry);
    this.counts = new SendCounts(this.registry);
    this.defects = new Defects(logger, this.registry);
    this.answers = new ErrorAnswers(logger, this.registry);
    this.calls = new CallWatch(this.registry, logger);
    this.backends = createBackends(env, logger, this.calls);
    this.nest = { logger: nestLogger(logger), bodyParser: false } as const;
  }

  /** Connections to everything else: made when used, ended last. */
  get connections(): Step {
    return {
      name: 'connections',
      start: () => {
        const { redis } = this.backends;
        this.readiness.add('redis', () => (redis.status === 'ready' ? null : 'not connected'));
      },
      stop: () => {
        const { redis, storage, presence } = this.backends;
        redis.disconnect();
        storage.close();
        presence.close();
      },
    };
  }

  /** Health and metrics on a port of their own. */
  get adminListener(): Step {
    return {
      name: 'admin listener',
      start: async () => {
        if (this.env.ADMIN_PORT === undefined) return;
        const at = { host: this.env.HOST, port: this.env.ADMIN_PORT };
        this.admin = await InnerListener.open(at, { health: this.health, defects: this.defects });
      },
      stop: () => this.admin?.close(),
    };
  }

  /** What an earlier run left on this node's disk; no other process may have it. */
  get heldMessages(): Step {
    return {
      name: 'spool',
      start: async () => {
        this.spool = await openSpool(this.env, this.logger);
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
        await checkTopics(backends.kafka, specsOf(env), { waitUntil: signal });
        const wait = { partitions: env.KAFKA_PARTITIONS, signal, logger };
        const positions = LogPositions.of(await logStateOf(backends.storage, wait));
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
          fatal,
        });
        const { logs, typing, sends } = this.gateway;
        const { messages, presence, receipts, watermarks } = logs;
        const started = [messages, presence, receipts, watermarks, typing];
        await Promise.all(started.map((one) => one.start()));
        sends.holding.start();
      },
      stop: async () => {
        this.stopping.abort();
        if (!this.gateway) return;
        const { logs, typing, receipts, trace, sends } = this.gateway;
        logs.watermarks.stop();
        receipts.log.stop();
        trace.close();
        const side = [logs.presence, logs.receipts, typing];
        await Promise.all(side.map((one) => one.stop({ flushMs: FLUSH_MS })));
        await sends.holding.stop({ flushMs: FLUSH_MS });
      },
    };
  }

  get reporting(): Step {
    return {
      name: 'metrics',
      start: () => {
        const { sockets, auth, directory, logs, sends } = this.gateway;
        const { table, delivery, presence } = sockets;
        this.metrics.start({
          table,
          delivery,
          presence,
          news: directory.news,
          hashCalls: auth.hashCalls,
          sends: this.counts,
          queued: (): number => logs.messages.queued(),
          spool: { store: this.spool.store, holding: sends.holding },
          media: sends.media,
        });
      },
      stop: () => this.metrics.stop(),
    };
  }

  /** Lease and inbox, and what keeps connections alive. */
  get boot(): Step {
    return {
      name: 'boot',
      start: async () => {
        const { boot, sockets, rates } = this.gateway;
        await boot.boot.start();
        boot.routeKeeper.start();
        sockets.heartbeat.start();
        rates.start();
      },
      stop: async () => {
        const { boot, sockets, rates } = this.gateway;
        rates.stop();
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
        const { env, gateway } = this;
        const { addresses, connections, server } = gateway.upgrades;
        await gateway.sends.media.start();
        const module = GatewayModule.over(sharedParts(gateway), env);
        const adapter = new BoundedExpressAdapter();
        const app = await NestFactory.create<NestExpressApplication>(module, adapter, this.nest);
        this.app = app;
        configureHttp(app, {
          allowedOrigins: env.ALLOWED_ORIGINS,
          addresses,
          connections,
          answers: this.answers,
          bounded: (reason) => this.metrics.bounded.inc({ reason }),
        });
        if (!this.admin) mountHealth(app, this.health);
        server.attach(serverOf(app));
        connections.bound(serverOf(app));
        await listen(app, env.PORT, env.HOST);
        containServer(serverOf(app), this.defects);
      },
      stop: async () => {
        if (!this.app) return;
        serverOf(this.app).closeAllConnections();
        await this.app.close();
        this.gateway.sends.media.stop();
      },
    };
  }

  /** Nothing to start: clients come when the directory names this gateway. */
  get clients(): Step {
    return {
      name: 'clients',
      stopWithinMs: DRAIN_WITHIN_MS,
      stop: async () => {
        const { upgrades, delayed, sockets, sends, directory } = this.gateway;
        upgrades.server.drain();
        delayed.stop();
        await sockets.drain.sayGoodbye(await directory.directory.others());
        await sends.holding.stop({ flushMs: FLUSH_MS });
        await sockets.drain.closeAll();
      },
    };
  }

  /** The last step in, the first out. */
  get directory(): Step {
    return {
      name: 'directory',
      start: async () => {
        this.announcer = this.gateway.announcer(this.env.PUBLIC_URL ?? this.ownUrl());
        await this.announcer.start();
      },
      stop: () => this.announcer?.withdraw(),
    };
  }

  private get health(): HealthParts {
    const { readiness, registry: metrics, calls } = this;
    return { readiness, metrics, calls };
  }

  private ownUrl(): string {
    const address = serverOf(this.app).address();
    const port = typeof address === 'object' && address ? address.port : this.env.PORT;
    return `ws://${this.env.HOST}:${port}${SOCKET_PATH}`;
  }
}
