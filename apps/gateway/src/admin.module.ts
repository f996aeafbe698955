import type { IncomingMessage, ServerResponse } from 'node:http';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { PassportModule } from '@nestjs/passport';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { isAdminPath } from '@tidings/protocol/admin';
import { nestLogger, type Logger } from '@tidings/common/runtime/logger';
import type { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import type { SecurityLog } from '@tidings/common/runtime/security-log';
import type { Express, NextFunction, Request, Response } from 'express';
import { SigningKeys } from './auth/access-tokens';
import { JwtAuthGuard } from './auth/jwt-auth.guard';
import { JwtStrategy } from './auth/jwt.strategy';
import type { Principal } from './auth/principal';
import { TokenConfirmer } from './auth/token-confirmer';
import type { GatewayEnv } from './gateway.env';
import { AdminController } from './http/admin.controller';
import { ClusterController } from './http/cluster.controller';
import { ClientAddresses } from './http/client-addresses';
import { configureHttp, endUnknown } from './http/http-listener';
import { OpenCallsGuard } from './http/open-calls.guard';
import { UserRateGuard } from './http/user-rate.guard';

/** Who answers the calls of operators. */
export const ADMIN_CONTROLLERS = [AdminController, ClusterController] as const;

/** The calls of operators: each needs a login, and storage judges whether it is an operator's. */
@Module({})
class AdminModule {
  /** `given`: what exists already, by its class; Nest makes the rest. */
  static over(given: Provider[], env: GatewayEnv): DynamicModule {
    const keys = new SigningKeys(env.JWT_SECRET, env.JWT_SECRET_PREVIOUS);
    return {
      module: AdminModule,
      imports: [PassportModule.register({ session: false })],
      controllers: [...ADMIN_CONTROLLERS],
      providers: [
        ...given,
        { provide: SigningKeys, useValue: keys },
        TokenConfirmer,
        JwtStrategy,
        { provide: APP_GUARD, useClass: JwtAuthGuard },
        { provide: APP_GUARD, useClass: UserRateGuard },
        { provide: APP_GUARD, useExisting: OpenCallsGuard },
      ],
    };
  }
}

export interface AdminOptions {
  logger: Logger;
  security: Pick<SecurityLog, 'note'>;
  answers: ErrorAnswers;
}

/** The calls of operators on the admin listener. It has no socket of its own. */
export class AdminCalls {
  private constructor(
    private readonly app: NestExpressApplication,
    private readonly express: Express,
  ) {}

  static async make(
    given: Provider[],
    env: GatewayEnv,
    options: AdminOptions,
  ): Promise<AdminCalls> {
    const { logger, security, answers } = options;
    const app = await NestFactory.create<NestExpressApplication>(
      AdminModule.over(given, env),
      new ExpressAdapter(),
      { logger: nestLogger(logger), bodyParser: false },
    );
    configureHttp(app, { allowedOrigins: [], addresses: new ClientAddresses(), answers });
    app.use(noteRefusals(security));
    await app.init();
    endUnknown(app);
    return new AdminCalls(app, app.getHttpAdapter().getInstance() as Express);
  }

  /** Answers what is for operators; false: it is another request. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (!isAdminPath((request.url ?? '').split('?', 1)[0]!)) return false;
    this.express(request as Request, response as Response);
    return true;
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

/** One line for each call that is refused for who makes it. */
function noteRefusals(security: Pick<SecurityLog, 'note'>) {
  return (
    request: Request & { user?: Principal },
    response: Response,
    next: NextFunction,
  ): void => {
    response.once('finish', () => {
      if (response.statusCode !== 401 && response.statusCode !== 403) return;
      const { userId, deviceId } = request.user ?? {};
      security.note('admin_refused', { userId, deviceId, address: request.ip });
    });
    next();
  };
}
