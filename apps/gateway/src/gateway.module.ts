import { Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { ThrottlerModule } from '@nestjs/throttler';
import { TIMINGS } from '@tidings/protocol/limits';
import { Routes } from '@tidings/common/redis/routes';
import { DeviceSessions } from '@tidings/common/redis/sessions';
import { Tickets } from '@tidings/common/redis/tickets';
import { AccessTokens, ALGORITHM, AUDIENCE, ISSUER, SigningKeys } from './auth/access-tokens';
import { HashCalls } from './auth/hash-calls';
import { JwtAuthGuard } from './auth/jwt-auth.guard';
import { JwtStrategy } from './auth/jwt.strategy';
import { LocalStrategy } from './auth/local.strategy';
import { LogoutService } from './auth/logout.service';
import { SessionEnder } from './auth/session-ender';
import { SessionGate } from './auth/session-gate';
import { TokenConfirmer } from './auth/token-confirmer';
import { AccountNews } from '@tidings/common/redis/account-news';
import { DevicePresence } from './directory/device-presence';
import { DirectoryService } from './directory/directory.service';
import { RouteCloser } from './socket/route-closer';
import type { Gateway } from './gateway';
import { ratesInForce, type GatewayEnv } from './gateway.env';
import { AddressRateGuard, addressRates } from './http/address-rate.guard';
import { SharedAddresses } from './http/shared-addresses';
import { AuthController } from './http/auth.controller';
import { BlocksController } from './http/blocks.controller';
import { ConnectionsController } from './http/connections.controller';
import { ContactsController } from './http/contacts.controller';
import { ConversationsController } from './http/conversations.controller';
import { DevicesController } from './http/devices.controller';
import { MeController } from './http/me.controller';
import { MediaController } from './http/media.controller';
import { MembersController } from './http/members.controller';
import { MessagesController } from './http/messages.controller';
import { OpenCallsGuard } from './http/open-calls.guard';
import { PasswordController } from './http/password.controller';
import { PresenceController } from './http/presence.controller';
import { ReceiptsController } from './http/receipts.controller';
import { RefusalPace } from './http/refusal-pace';
import { describeService, ServiceController, ServiceDescription } from './http/service.controller';
import { SyncController } from './http/sync.controller';
import { TraceController } from './http/trace.controller';
import { UserDirectory } from './http/user-directory';
import { UsersController } from './http/users.controller';
import { UserRateGuard } from './http/user-rate.guard';
import { UserRates } from './rates/user-rates';
import { MediaParts } from './media/media.parts';
import { HttpReceiptsService } from './receipts/http-receipts.service';
import { ReceiptJudge } from './receipts/receipt-judge';
import { ReceiptLog } from './receipts/receipt-log';
import { FirstAppends } from './send/first-appends';
import { HttpSendService } from './send/http-send.service';
import { Membership } from './send/membership';
import { MessageLog } from './send/message-log';
import { SendCounts } from './send/send-counts';
import { PresenceClient, StorageClient } from './service-clients';
import { HistoryService } from './sync/history.service';
import { ReadBarrier } from './sync/read-barrier';
import { SyncService } from './sync/sync.service';
import { TraceService } from './trace/trace.service';

/** What the HTTP side shares with the sockets; made once, by the start order. */
export interface SharedParts {
  storage: StorageClient;
  presence: PresenceClient;
  gate: SessionGate;
  sessions: DeviceSessions;
  tickets: Tickets;
  routes: Routes;
  routeCloser: RouteCloser;
  news: AccountNews;
  hashCalls: HashCalls;
  devicePresence: DevicePresence;
  directory: DirectoryService;
  barrier: ReadBarrier;
  syncs: SyncService;
  trace: TraceService;
  log: MessageLog;
  membership: Membership;
  firsts: FirstAppends;
  judge: ReceiptJudge;
  receipts: ReceiptLog;
  counts: SendCounts;
  media: MediaParts;
  openCalls?: OpenCallsGuard;
  refusals?: RefusalPace;
  rates: UserRates;
  shared: SharedAddresses;
}

/** What the HTTP side uses of a gateway. */
export function sharedParts(gateway: Gateway): SharedParts {
  const { backends, auth, directory, logs, sends, receipts } = gateway;
  return {
    storage: backends.storage,
    presence: backends.presence,
    gate: auth.gate,
    sessions: auth.sessions,
    tickets: auth.tickets,
    hashCalls: auth.hashCalls,
    routes: directory.routes,
    routeCloser: gateway.boot.routeCloser,
    news: directory.news,
    devicePresence: directory.devicePresence,
    directory: directory.directory,
    barrier: logs.barrier,
    syncs: gateway.syncs,
    trace: gateway.trace,
    log: sends.log,
    membership: sends.membership,
    firsts: sends.firsts,
    media: sends.media,
    judge: receipts.judge,
    receipts: receipts.log,
    counts: gateway.counts,
    openCalls: gateway.openCalls,
    refusals: gateway.refusals,
    rates: gateway.rates,
    shared: gateway.shared,
  };
}

/** Who answers the calls of the protocol. */
export const CONTROLLERS = [
  ServiceController,
  UsersController,
  AuthController,
  MeController,
  PasswordController,
  DevicesController,
  ContactsController,
  BlocksController,
  ConnectionsController,
  ConversationsController,
  MembersController,
  MessagesController,
  TraceController,
  MediaController,
  ReceiptsController,
  SyncController,
  PresenceController,
] as const;

/** The HTTP side of the gateway. Every endpoint needs a login, unless it is marked open. */
@Module({})
export class GatewayModule {
  /** The module over parts that exist already. */
  static over(parts: SharedParts, env: GatewayEnv): DynamicModule {
    const keys = new SigningKeys(env.JWT_SECRET, env.JWT_SECRET_PREVIOUS);
    const value = (provide: unknown, useValue: unknown) => ({
      provide: provide as string,
      useValue,
    });
    return {
      module: GatewayModule,
      imports: [
        PassportModule.register({ session: false }),
        ThrottlerModule.forRoot(
          addressRates({ http: env.HTTP_RATE_PER_MINUTE, auth: env.AUTH_RATE_PER_MINUTE }),
        ),
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
        value(StorageClient, parts.storage),
        value(PresenceClient, parts.presence),
        value(SessionGate, parts.gate),
        value(DeviceSessions, parts.sessions),
        value(Tickets, parts.tickets),
        value(Routes, parts.routes),
        value(RouteCloser, parts.routeCloser),
        value(AccountNews, parts.news),
        value(DevicePresence, parts.devicePresence),
        value(DirectoryService, parts.directory),
        value(ReadBarrier, parts.barrier),
        value(SyncService, parts.syncs),
        value(TraceService, parts.trace),
        value(MessageLog, parts.log),
        value(Membership, parts.membership),
        value(FirstAppends, parts.firsts),
        value(SendCounts, parts.counts),
        value(ReceiptJudge, parts.judge),
        value(ReceiptLog, parts.receipts),
        value(MediaParts, parts.media),
        value(HashCalls, parts.hashCalls),
        value(UserDirectory, new UserDirectory(env.USER_DIRECTORY)),
        value(UserRates, parts.rates),
        value(ServiceDescription, describeService(ratesInForce(env), env.USER_DIRECTORY)),
        value(RefusalPace, parts.refusals ?? new RefusalPace()),
        value(SigningKeys, keys),
        value(SharedAddresses, parts.shared),
        value(TokenConfirmer, new TokenConfirmer(parts.storage)),
        value(
          HistoryService,
          new HistoryService(parts.storage, parts.barrier, env.KAFKA_PARTITIONS),
        ),
        AccessTokens,
        HttpSendService,
        HttpReceiptsService,
        LogoutService,
        SessionEnder,
        LocalStrategy,
        JwtStrategy,
        { provide: APP_GUARD, useClass: AddressRateGuard },
        { provide: APP_GUARD, useClass: JwtAuthGuard },
        { provide: APP_GUARD, useClass: UserRateGuard },
        { provide: APP_GUARD, useValue: parts.openCalls ?? new OpenCallsGuard() },
      ],
    };
  }
}
