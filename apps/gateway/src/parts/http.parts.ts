import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SOCKET_PATH } from '@tidings/protocol/http';
import type { Defects } from '@tidings/common/runtime/defects';
import type { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import type { HealthParts } from '@tidings/common/runtime/health';
import { InnerListener } from '@tidings/common/runtime/inner-listener';
import { nestLogger, type Logger } from '@tidings/common/runtime/logger';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { AdminCalls } from '../admin.module';
import type { Gateway } from '../gateway';
import type { GatewayEnv } from '../gateway.env';
import type { GatewayMetrics } from '../gateway.metrics';
import { GatewayModule } from '../gateway.module';
import { ClientServer } from '../http/client-server';
import { ClientExpressAdapter, configureHttp, serve } from '../http/http-listener';
import { RequestCount } from '../http/request-count';
import { providersOf } from './given.parts';

/** The two listeners of a gateway: that of clients, and one for operators when it has a port. */
export class HttpParts {
  private readonly clients: ClientServer;
  private app: NestExpressApplication | null = null;
  private admin: InnerListener | null = null;
  /** Null: not yet, or there is no admin listener. */
  private adminCalls: AdminCalls | null = null;

  constructor(
    private readonly parts: {
      env: GatewayEnv;
      logger: Logger;
      health: HealthParts;
      defects: Defects;
      answers: ErrorAnswers;
      metrics: Pick<GatewayMetrics, 'bounded'>;
    },
  ) {
    const { env, health, metrics } = parts;
    this.clients = new ClientServer({
      health: env.ADMIN_PORT === undefined ? health : null,
      early: () => metrics.bounded.inc({ reason: 'early' }),
    });
  }

  /**
   * Health and metrics at once, on the admin listener or, without one, on that of clients; the calls of
   * operators when {@link openForClients} is done.
   */
  async openForOperators(): Promise<void> {
    const { env, health, defects } = this.parts;
    if (env.ADMIN_PORT === undefined) return this.listen();
    const at = { host: env.HOST, port: env.ADMIN_PORT };
    this.admin = await InnerListener.open(at, {
      health,
      defects,
      calls: (request, response) => this.adminCalls?.answer(request, response) ?? false,
    });
  }

  async closeForOperators(): Promise<void> {
    await this.admin?.close();
    await this.adminCalls?.close();
    if (!this.app) await this.clients.close();
  }

  /** Calls and sockets of clients. */
  async openForClients(gateway: Gateway): Promise<void> {
    const { env, logger, health, answers, metrics } = this.parts;
    const { addresses, connections, server } = gateway.upgrades;
    const given = providersOf(gateway);
    const security = new SecurityLog(logger);
    if (this.admin) {
      this.adminCalls = await AdminCalls.make(given, env, { logger, security, answers });
    }
    const module = GatewayModule.over(given, env);
    const nest = { logger: nestLogger(logger), bodyParser: false } as const;
    const adapter = new ClientExpressAdapter(this.clients.server);
    const app = await NestFactory.create<NestExpressApplication>(module, adapter, nest);
    this.app = app;
    configureHttp(app, {
      allowedOrigins: env.ALLOWED_ORIGINS,
      addresses,
      connections,
      outsiders: security,
      count: app.get(RequestCount),
      health: this.admin ? null : health,
      answers,
      bounded: (reason) => metrics.bounded.inc({ reason }),
    });
    server.attach(this.clients.server);
    connections.bound(this.clients.server);
    await serve(app, this.clients);
    await this.listen();
  }

  /** False: it was not open. */
  async closeForClients(): Promise<boolean> {
    if (!this.app) return false;
    this.clients.server.closeAllConnections();
    await this.app.close();
    return true;
  }

  /** Where sockets are opened, as far as this machine knows. */
  get url(): string {
    const { env } = this.parts;
    const address = this.clients.server.address();
    const port = typeof address === 'object' && address ? address.port : env.PORT;
    return `ws://${env.HOST}:${port}${SOCKET_PATH}`;
  }

  private listen(): Promise<void> {
    const { env, defects } = this.parts;
    return this.clients.listen({ host: env.HOST, port: env.PORT }, defects);
  }
}
