import type { AddressInfo } from 'node:net';
import type { Provider, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { TidingsError, type ErrorCode } from '@tidings/protocol/errors';
import { NodeWatch } from '@tidings/common/nodes/node-watch';
import { AccountNews } from '@tidings/common/redis/account-news';
import { VisibilityNews } from '@tidings/common/redis/visibility-news';
import { DeviceLogins } from '@tidings/common/redis/logins';
import { Routes } from '@tidings/common/redis/routes';
import { Tickets } from '@tidings/common/redis/tickets';
import { loadEnv } from '@tidings/common/runtime/env';
import { Defects } from '@tidings/common/runtime/defects';
import { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { HashCalls } from '../auth/hash-calls';
import { LoginGate } from '../auth/login-gate';
import { DevicePresence } from '../directory/device-presence';
import { DirectoryService } from '../directory/directory.service';
import { gatewayEnv } from '../gateway.env';
import { GatewayModule } from '../gateway.module';
import { ClientAddresses } from '../http/client-addresses';
import { ClientServer } from '../http/client-server';
import { ClientExpressAdapter, configureHttp, serve } from '../http/http-listener';
import { OpenCallsGuard } from '../http/open-calls.guard';
import { RequestCount } from '../http/request-count';
import { RefusalPace } from '../http/refusal-pace';
import { Lanes } from '../lanes/lanes';
import { MediaParts } from '../media/media.parts';
import { Membership } from '../members/membership';
import { SharedAddresses } from '../rates/shared-addresses';
import { PresenceSight } from '../presence/presence-sight';
import { SeenPresence } from '../presence/seen-presence';
import { AddressWindows } from '../rates/address-windows';
import { Admission } from '../rates/admission';
import { UserRates } from '../rates/user-rates';
import { ReceiptJudge } from '../receipts/receipt-judge';
import { ReceiptLog } from '../receipts/receipt-log';
import { FirstAppends } from '../send/first-appends';
import { MessageLog } from '../send/message-log';
import { SendCounts } from '../send/send-counts';
import { StorageClient } from '../service-clients';
import { RouteCloser } from '../socket/route-closer';
import { ReadBarrier } from '../sync/read-barrier';
import { SyncService } from '../sync/sync.service';
import { TraceService } from '../trace/trace.service';

export const SECRET = 'a secret of more than thirty-two bytes, for tests';
export const USER_ID = '01890a5d-ac96-774b-bcce-b302099a8001';
export const DEVICE_ID = '01890a5d-ac96-774b-bcce-b302099a8002';
export const GENERATION = 4;

/** One call that reached storage or presence. */
interface RecordedCall {
  name: string;
  input: unknown;
}

/** Answers of storage and presence by call name; a code is thrown as that error. */
export type Answers = Record<string, unknown>;

/** Instead of what a gateway has made: a class, and what stands for it. */
type Fakes = readonly (readonly [Type | AbstractClass, unknown])[];
type AbstractClass = abstract new (...args: never[]) => unknown;

/** What no test of the HTTP side reaches, unless it brings it. */
const UNUSED = [
  DeviceLogins,
  FirstAppends,
  MediaParts,
  Membership,
  MessageLog,
  ReceiptJudge,
  ReceiptLog,
  RouteCloser,
  Routes,
  SyncService,
  Tickets,
  TraceService,
];

/** The HTTP side of a gateway over fakes of everything behind it. */
export async function startFakeGateway(
  options: { env?: Record<string, string>; answers?: Answers; fakes?: Fakes } = {},
) {
  const answers: Answers = options.answers ?? {};
  const calls: RecordedCall[] = [];
  const told: unknown[][] = [];
  const noted: string[] = [];
  const judged: string[] = [];
  /** Names of the rates that refused. */
  const refused: string[] = [];
  const world = { generation: GENERATION as number | null };
  /** Questions to Redis and storage. */
  let asked = 0;
  const call = (name: string, input: unknown): Promise<unknown> => {
    asked += 1;
    calls.push({ name, input });
    const answer = answers[name];
    if (typeof answer === 'string') {
      return Promise.reject(new TidingsError(answer as ErrorCode));
    }
    return Promise.resolve(answer ?? { items: [] });
  };
  const env = loadEnv(gatewayEnv, {
    NODE_ID: 'gateway-1',
    PORT: '0',
    LOG_LEVEL: 'silent',
    CLUSTER_SECRET: SECRET,
    JWT_SECRET: SECRET,
    KAFKA_BROKERS: 'none:1',
    REDIS_URL: 'redis://none:1',
    STORAGE_URLS: 'http://none:1',
    PRESENCE_URLS: 'http://none:1',
    RATE_LIMITS: 'off',
    HTTP_RATE_PER_MINUTE: '0',
    AUTH_RATE_PER_MINUTE: '0',
    ...options.env,
  });
  const metrics = new Metrics({ service: 'gateway', node: 'g' });
  const service = { call } as never;
  const gate = new LoginGate(
    {
      get: () => {
        asked += 1;
        return Promise.resolve(world.generation);
      },
      raise: (_u, _d, g) => Promise.resolve(g),
      endOf: () => Promise.resolve(null),
    },
    { call: (() => Promise.reject(new TidingsError('not_found'))) as never },
    () => performance.now(),
  );
  const admission = new Admission({
    perSecond: env.CONNECT_RATE_PER_SECOND,
    burst: env.CONNECT_BURST,
    maxWaitMs: env.BACKOFF_MAX_MS,
    loopDelayMs: () => 0,
    random: Math.random,
    clock: () => performance.now(),
  });
  const rates = new UserRates({
    buckets: { take: () => Promise.reject(new Error('no Redis here')) },
    rates: env.RATE_LIMITS,
    refused: (rate) => void refused.push(rate),
    alone: () => undefined,
    clock: () => performance.now(),
  });
  const windows = new AddressWindows({
    shared: { count: () => Promise.reject(new Error('no Redis here')) },
    alone: () => undefined,
    refused: (rate) => void refused.push(rate),
    clock: () => performance.now(),
  });
  const fakes: Fakes = [
    ...UNUSED.map((one) => [one, {}] as const),
    [StorageClient, service],
    [NodeWatch, { of: () => ({ known: true, instances: [] }) }],
    [SeenPresence, new SeenPresence(service, new PresenceSight(service))],
    [LoginGate, gate],
    [AccountNews, { tell: (...news: unknown[]) => void told.push(news) }],
    [HashCalls, new HashCalls()],
    [
      DirectoryService,
      {
        connect: () => Promise.resolve({ ticket: 'd', gateways: [] }),
        shedding: () => Promise.resolve([]),
      },
    ],
    [Lanes, { textRefusal: () => null }],
    [DevicePresence, { online: () => Promise.resolve(new Set([DEVICE_ID])) }],
    [ReadBarrier, { take: () => Promise.resolve(['1', null]) }],
    [SendCounts, new SendCounts(metrics)],
    [SharedAddresses, new SharedAddresses(env.SHARED_ADDRESSES)],
    [OpenCallsGuard, new OpenCallsGuard()],
    [RefusalPace, new RefusalPace()],
    [Admission, admission],
    [AddressWindows, windows],
    [VisibilityNews, { changed: (userId: string) => void judged.push(userId) }],
    [UserRates, rates],
    ...(options.fakes ?? []),
  ];
  const given = fakes.map(([provide, useValue]): Provider => ({ provide, useValue }));
  const logger = createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' });
  const clients = new ClientServer({ health: null });
  const app = await NestFactory.create<NestExpressApplication>(
    GatewayModule.over(given, env),
    new ClientExpressAdapter(clients.server),
    { logger: false, bodyParser: false },
  );
  configureHttp(app, {
    allowedOrigins: env.ALLOWED_ORIGINS,
    addresses: new ClientAddresses(env.TRUST_PROXY),
    outsiders: { note: (event) => void noted.push(event) },
    count: app.get(RequestCount),
    answers: new ErrorAnswers(logger, metrics),
  });
  await serve(app, clients);
  await clients.listen({ host: '127.0.0.1', port: 0 }, new Defects(logger, metrics));
  const { port } = clients.server.address() as AddressInfo;
  return {
    app,
    answers,
    calls,
    asked: () => asked,
    env,
    given,
    noted,
    told,
    judged,
    refused,
    world,
    metrics,
    port,
    url: `http://127.0.0.1:${port}/v1`,
  };
}

export type FakeGateway = Awaited<ReturnType<typeof startFakeGateway>>;
