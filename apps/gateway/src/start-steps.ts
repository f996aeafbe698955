import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DirectoryReport } from '@tidings/common/nodes/directory-report';
import { checkTopics, specsOf } from '@tidings/common/kafka/wire/topics';
import { Defects } from '@tidings/common/runtime/defects';
import { containServer } from '@tidings/common/runtime/contained-server';
import { CallWatch } from '@tidings/common/rpc/call-watch';
import { logStateOf } from '@tidings/common/rpc/log-state';
import { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import { type HealthParts, type Readiness } from '@tidings/common/runtime/health';
import { InnerListener } from '@tidings/common/runtime/inner-listener';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { LoopDelay } from '@tidings/common/runtime/loop-delay';
import { nestLogger, type Logger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { StartTimeline } from '@tidings/common/runtime/start-timeline';
import { AdminCalls } from './admin.module';
import { createBackends, type Backends } from './backends';
import { type Gateway, makeGateway } from './gateway';
import type { GatewayEnv } from './gateway.env';
import { GatewayMetrics } from './gateway.metrics';
import { GatewayModule, providersOf } from './gateway.module';
import { BoundedExpressAdapter, configureHttp, listen, serverOf } from './http/http-listener';
import { RequestCount } from './http/request-count';
import { LogPositions } from './send/log-positions';
import { SendCounts } from './send/send-counts';
import { openSpool, type Spool } from './parts/holding.parts';
import { drainWithinMs } from './socket/drain';
import { SOCKET_PATH } from '@tidings/protocol/http';

/** How long records may still be appended when stopping, milliseconds. */
const FLUSH_MS = 3_000;
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
  private app!: NestExpressApplication;
  private admin: InnerListener | null = null;
  private readonly directories: DirectoryReport;
  private readonly loopDelay = new LoopDelay();
  /** Null: not yet, or there is no admin listener. */
  private adminCalls: AdminCalls | null = null;
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
    this.directories = new DirectoryReport(this.registry, logger);
    this.backends = createBackends(env, logger, this.calls, this.directories);
    this.nest = { logger: nestLogger(logger), bodyParser: false } as const;
  }

  /** Connections to everything else: made when used, ended last. */
  get connections(): Step {
    return {
      name: 'connections',
      start: () => {
        const { redis } = this.backends;
        this.readiness.add('redis', () => (redis.status === 'ready' ? null : 'not connected'));
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

  /** Health, metrics and the calls of operators on a port of their own. */
  get adminListener(): Step {
    return {
      name: 'admin listener',
      start: async () => {
        if (this.env.ADMIN_PORT === undefined) return;
        const at = { host: this.env.HOST, port: this.env.ADMIN_PORT };
        this.admin = await InnerListener.open(at, {
          health: this.health,
          defects: this.defects,
          calls: (request, response) => this.adminCalls?.answer(request, response) ?? false,
        });
      },
      stop: async () => {
        await this.admin?.close();
        await this.adminCalls?.close();
      },
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
          directories: this.directories,
          problems: () => this.readiness.problems(),
          registry: this.registry,
          loopDelay: this.loopDelay,
          fatal,
        });
        const { logs, typing, sends } = this.gateway;
        const { messages, presence, receipts, watermarks } = logs;
        const started = [messages, presence, receipts, watermarks, typing];
        await Promise.all(started.map((one) => one.start()));
        sends.holding.start();
        this.loopDelay.start();
        this.readiness.add('directory', () => this.gateway.announcer.problem());
      },
      stop: async () => {
        this.stopping.abort();
        this.loopDelay.stop();
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
          visibility: directory.visibility,
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
        const { boot, sockets, rates, presence, signs } = this.gateway;
        await boot.boot.start();
        signs?.start();
        boot.routeKeeper.start();
        presence.start();
        sockets.heartbeat.start();
        rates.start();
      },
      stop: async () => {
        const { boot, sockets, rates, presence, signs } = this.gateway;
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
        const { env, gateway } = this;
        const { addresses, connections, server } = gateway.upgrades;
        await gateway.sends.media.start();
        const given = providersOf(gateway);
        const security = new SecurityLog(this.logger);
        const { answers } = this;
        if (this.admin) {
          const options = { logger: this.logger, security, answers };
          this.adminCalls = await AdminCalls.make(given, env, options);
        }
        const module = GatewayModule.over(given, env);
        const adapter = new BoundedExpressAdapter();
        const app = await NestFactory.create<NestExpressApplication>(module, adapter, this.nest);
        this.app = app;
        configureHttp(app, {
          allowedOrigins: env.ALLOWED_ORIGINS,
          addresses,
          connections,
          outsiders: security,
          count: app.get(RequestCount),
          health: this.admin ? null : this.health,
          answers,
          bounded: (reason) => this.metrics.bounded.inc({ reason }),
        });
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
      start: () => this.gateway.announcer.start(this.env.PUBLIC_URL ?? this.ownUrl()),
      stop: () => this.gateway?.announcer.drain(),
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
