import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { TidingsError, type ErrorCode } from '@tidings/protocol/errors';
import { loadEnv } from '@tidings/common/runtime/env';
import { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { HashCalls } from '../auth/hash-calls';
import { SessionGate } from '../auth/session-gate';
import { gatewayEnv } from '../gateway.env';
import { GatewayModule, type SharedParts } from '../gateway.module';
import { ClientAddresses } from '../http/client-addresses';
import { BoundedExpressAdapter, configureHttp, listen } from '../http/http-listener';
import { SharedAddresses } from '../http/shared-addresses';
import { UserRates } from '../rates/user-rates';
import { SendCounts } from '../send/send-counts';

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

/** The HTTP side of a gateway over fakes of everything behind it. */
export async function startFakeGateway(
  options: { env?: Record<string, string>; answers?: Answers; parts?: Partial<SharedParts> } = {},
) {
  const answers: Answers = options.answers ?? {};
  const calls: RecordedCall[] = [];
  const told: unknown[][] = [];
  /** Names of the rates that refused. */
  const refused: string[] = [];
  const world = { generation: GENERATION as number | null };
  const call = (name: string, input: unknown): Promise<unknown> => {
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
  const gate = new SessionGate(
    { get: () => Promise.resolve(world.generation), raise: (_u, _d, g) => Promise.resolve(g) },
    { call: (() => Promise.reject(new TidingsError('not_found'))) as never },
    () => performance.now(),
  );
  const parts = {
    storage: service,
    presence: service,
    gate,
    news: { tell: (...news: unknown[]) => void told.push(news) },
    hashCalls: new HashCalls(),
    devicePresence: { online: () => Promise.resolve(new Set([DEVICE_ID])) },
    barrier: { take: () => Promise.resolve(['1', null]) },
    counts: new SendCounts(metrics),
    shared: new SharedAddresses(env.SHARED_ADDRESSES),
    rates: new UserRates({
      buckets: { take: () => Promise.reject(new Error('no Redis here')) },
      rates: env.RATE_LIMITS,
      refused: (rate) => void refused.push(rate),
      alone: () => undefined,
      clock: () => performance.now(),
    }),
    ...options.parts,
  } as unknown as SharedParts;
  const logger = createLogger({ service: 'gateway', nodeId: 'g', level: 'silent' });
  const app = await NestFactory.create<NestExpressApplication>(
    GatewayModule.over(parts, env),
    new BoundedExpressAdapter(),
    { logger: false, bodyParser: false },
  );
  configureHttp(app, {
    allowedOrigins: env.ALLOWED_ORIGINS,
    addresses: new ClientAddresses(env.TRUST_PROXY),
    answers: new ErrorAnswers(logger, metrics),
  });
  await listen(app, 0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    answers,
    calls,
    told,
    refused,
    world,
    metrics,
    port,
    url: `http://127.0.0.1:${port}/v1`,
  };
}

export type FakeGateway = Awaited<ReturnType<typeof startFakeGateway>>;
