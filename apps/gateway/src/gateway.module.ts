import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
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
import type { Gateway } from './gateway';
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

/**
 * Hands what the themes of a gateway have made to whoever of the HTTP side asks for it by its class. A class of which
 * there are two in it is handed to nobody: which one would be meant?
 */
export function providersOf(gateway: Gateway): Provider[] {
  const { backends, auth, directory, logs, sends, boot, receipts, presence } = gateway;
  const themes = [gateway, backends, auth, directory, logs, sends, boot, receipts, presence];
  const made = new Set(themes.flatMap((theme) => Object.values(theme) as unknown[]));
  const byClass = new Map<unknown, unknown[]>();
  for (const one of made) {
    if (typeof one !== 'object' || one === null || one.constructor === Object) continue;
    byClass.set(one.constructor, [...(byClass.get(one.constructor) ?? []), one]);
  }
  return [...byClass]
    .filter(([, instances]) => instances.length === 1)
    .map(([provide, [useValue]]) => ({ provide: provide as Type, useValue }));
}

/** The HTTP side of the gateway. Every endpoint needs a login, unless it is marked open. */
@Module({})
export class GatewayModule {
  /** `given`: what exists already ({@link providersOf}); Nest makes the rest. */
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
