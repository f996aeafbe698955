import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TIMINGS } from '@tidings/protocol/limits';
import { AccessTokens, ALGORITHM, AUDIENCE, ISSUER, SigningKeys } from './auth/access-tokens';
import { JwtAuthGuard } from './auth/jwt-auth.guard';
import { JwtStrategy } from './auth/jwt.strategy';
import { LocalStrategy } from './auth/local.strategy';
import { LogoutService } from './auth/logout.service';
import { LoginEnder } from './auth/login-ender';
import { TokenConfirmer } from './auth/token-confirmer';
import { ratesInForce, type GatewayEnv } from './gateway.env';
import { AdmissionGuard } from './http/admission.guard';
import { CONTROLLERS } from './http/controllers';
import { AddressLimits } from './rates/address-windows';
import { AddressRateGuard } from './http/address-rate.guard';
import { RequestCount } from './http/request-count';
import { OpenCallsGuard } from './http/open-calls.guard';
import { describeService, ServiceDescription } from './http/service.controller';
import { UserDirectory } from './http/user-directory';
import { UserRateGuard } from './http/user-rate.guard';
import { HttpReceiptsService } from './receipts/http-receipts.service';
import { HttpSendService } from './send/http-send.service';
import { HistoryService, PARTITIONS } from './sync/history.service';

/** The HTTP side of the gateway. Every endpoint needs a login, unless it is marked open. */
@Module({})
export class GatewayModule {
  /** `given`: what exists already (`providersOf`); Nest makes the rest. */
  static over(given: Provider[], env: GatewayEnv): DynamicModule {
    const keys = new SigningKeys(env.JWT_SECRET, env.JWT_SECRET_PREVIOUS);
    const value = (provide: unknown, useValue: unknown) => ({
      provide: provide as string,
      useValue,
    });
    return {
      module: GatewayModule,
      imports: [
        PassportModule.register({ session: false }),
        JwtModule.register({
          secretOrKeyProvider: () => keys.signing,
          signOptions: {
            algorithm: ALGORITHM,
            issuer: ISSUER,
            audience: AUDIENCE,
            expiresIn: TIMINGS.accessTokenSeconds,
          },
        }),
      ],
      controllers: [...CONTROLLERS],
      providers: [
        ...given,
        value(SigningKeys, keys),
        value(UserDirectory, new UserDirectory(env.USER_DIRECTORY)),
        value(
          ServiceDescription,
          describeService(ratesInForce(env), env.USER_DIRECTORY, env.LOGIN_POLICY),
        ),
        value(AddressLimits, new AddressLimits(env.HTTP_RATE_PER_MINUTE, env.AUTH_RATE_PER_MINUTE)),
        value(PARTITIONS, env.KAFKA_PARTITIONS),
        TokenConfirmer,
        HistoryService,
        AccessTokens,
        RequestCount,
        HttpSendService,
        HttpReceiptsService,
        LogoutService,
        LoginEnder,
        LocalStrategy,
        JwtStrategy,
        { provide: APP_GUARD, useClass: AddressRateGuard },
        { provide: APP_GUARD, useClass: AdmissionGuard },
        { provide: APP_GUARD, useClass: JwtAuthGuard },
        { provide: APP_GUARD, useClass: UserRateGuard },
        { provide: APP_GUARD, useExisting: OpenCallsGuard },
      ],
    };
  }
}
