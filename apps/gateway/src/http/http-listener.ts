import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ExpressAdapter } from '@nestjs/platform-express';
import { isAdminPath } from '@tidings/protocol/admin';
import { bodyLimit } from '@tidings/protocol/bounds';
import { TidingsError } from '@tidings/protocol/errors';
import { ProblemFilter, sendProblem } from '@tidings/common/runtime/problem.filter';
import type { SecurityLog } from '@tidings/common/runtime/security-log';
import type { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import type { Express, NextFunction, Request, Response } from 'express';
import { json } from 'express';
import helmet from 'helmet';
import { SOCKET_PATH } from '@tidings/protocol/http';
import { type HealthParts, mountHealth } from '@tidings/common/runtime/health';
import { refuseMethods } from './allowed-methods';
import type { ClientAddresses } from './client-addresses';
import type { ClientServer } from './client-server';
import { dropLeft } from './drop-left';
import type { OpenConnections } from './open-connections';
import type { RequestCount } from './request-count';
import { boundBody, boundClients, type BoundReason } from './slow-clients';

/** How long a browser remembers what a page on another origin may send. */
const PREFLIGHT_SECONDS = 600;
/** What such a page may read of an answer, beside its body, type and length. */
const EXPOSED_HEADERS = ['Retry-After', 'X-Request-Id', 'ETag', 'Content-Range', 'Accept-Ranges'];
/** RFC 9110 §15.5.22. */
const UPGRADE_REQUIRED = 426;

/** Express behind a server that exists already. */
export class ClientExpressAdapter extends ExpressAdapter {
  constructor(private readonly given: Server) {
    super();
  }

  override initHttpServer(): void {
    this.httpServer = this.given;
  }

  /** Nest calls it when all endpoints are there. */
  override setNotFoundHandler(...args: Parameters<ExpressAdapter['setNotFoundHandler']>): void {
    this.use(refuseMethods);
    super.setNotFoundHandler(...args);
  }
}

export interface HttpOptions {
  /** Origins of web pages that may call this gateway, beside its own. */
  allowedOrigins: readonly string[];
  /** Tell the address of each request, `request.ip`. */
  addresses: ClientAddresses;
  /** What one address may have open behind a proxy. */
  connections?: OpenConnections;
  /** Takes note of who asks for what operators do: it is not here. */
  outsiders?: Pick<SecurityLog, 'note'>;
  /** Counts whatever asks. */
  count?: Pick<RequestCount, 'judge'>;
  /** Answers questions about the health of this process; left out: another listener does. */
  health?: HealthParts | null;
  /** Takes answers that blame the server. */
  answers: ErrorAnswers;
  /** Takes each request or connection that was ended for being slow or one too many. */
  bounded?: (reason: BoundReason) => void;
}

/** Sets up everything that all endpoints share; call it before `init`. */
export function configureHttp(app: NestExpressApplication, options: HttpOptions): void {
  app.set('query parser', 'simple');
  app.set('etag', false);
  const { addresses, connections, count, bounded = () => undefined } = options;
  const counted = (request: Request, response: Response, next: NextFunction): void => {
    if (count) count.judge(addresses.of(request), request, response, next).catch(next);
    else next();
  };
  // The next step answers it, and no page can read a refusal of it.
  app.use((request: Request, response: Response, next: NextFunction) =>
    request.method === 'OPTIONS' ? counted(request, response, next) : next(),
  );
  // Before whatever may refuse a request: a page on another origin is to read why.
  app.enableCors({
    origin: [...options.allowedOrigins],
    credentials: false,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
  });
  const { outsiders } = options;
  const parse = (request: Request, response: Response, next: NextFunction): void => {
    if (isUpload(request)) return next();
    boundBody(request, response, bounded);
    // A body that was too late is answered already.
    const parseJson = jsonParser(bodyLimit(request.method, request.path));
    parseJson(request, response, (error?: unknown) => !response.headersSent && next(error));
  };
  app.use(identify, placed(addresses, connections), boundClients(bounded), helmet());
  if (options.health) mountHealth(app, options.health);
  app.use(counted, parse, dropLeft(bounded));
  if (outsiders) app.use(refuseOutsiders(outsiders));
  app.use(SOCKET_PATH, (request: Request & { id?: string }, response: Response) => {
    const detail = 'This path speaks WebSocket';
    response.setHeader('Upgrade', 'websocket');
    const error = new TidingsError('invalid_request', { detail, status: UPGRADE_REQUIRED });
    sendProblem(response, error, request.id ?? '');
  });
  app.setGlobalPrefix('v1');
  app.useGlobalFilters(new ProblemFilter(options.answers));
}

/** Whatever no endpoint takes ends in a problem document; call it behind `init`. */
export function endUnknown(app: NestExpressApplication): void {
  app.use((request: Request & { id?: string }, response: Response) => {
    sendProblem(response, new TidingsError('not_found'), request.id ?? '');
  });
}

/**
 * Hands what comes to a server over to an application; whatever no endpoint takes ends in a problem
 * document, on every path.
 */
export async function serve(app: NestExpressApplication, clients: ClientServer): Promise<void> {
  await app.init();
  endUnknown(app);
  clients.serve(app.getHttpAdapter().getInstance() as Express);
}

/** Gives each request an id, which errors and log lines carry; nothing here is cacheable. */
function identify(
  request: Request & { id?: string },
  response: Response,
  next: NextFunction,
): void {
  request.id = randomUUID();
  response.setHeader('X-Request-Id', request.id);
  response.setHeader('Cache-Control', 'no-store');
  next();
}

/**
 * Gives each request its `ip`, for good: Express would read it again from a connection that may have
 * ended. A client behind a proxy that has too much open is refused.
 */
function placed(addresses: ClientAddresses, connections: OpenConnections | undefined) {
  return (request: Request & { id?: string }, response: Response, next: NextFunction): void => {
    Object.defineProperty(request, 'ip', { value: addresses.of(request), enumerable: true });
    try {
      connections?.takeFor(request, response);
    } catch (error) {
      sendProblem(response, error as TidingsError, request.id ?? '');
      return;
    }
    next();
  };
}

/** The calls of operators are on another listener: here they are like any path that does not exist. */
function refuseOutsiders(security: Pick<SecurityLog, 'note'>) {
  return (request: Request & { id?: string }, response: Response, next: NextFunction): void => {
    if (!isAdminPath(request.path)) return next();
    security.note('admin_refused', { address: request.ip });
    sendProblem(response, new TidingsError('not_found'), request.id ?? '');
  };
}

const parsers = new Map<number, ReturnType<typeof json>>();

/** Reads JSON bodies of at most so many bytes. */
function jsonParser(limit: number): ReturnType<typeof json> {
  let parser = parsers.get(limit);
  if (!parser) parsers.set(limit, (parser = json({ limit, strict: true })));
  return parser;
}

/** Whether the body is bytes for the media endpoint, whatever its type says. */
function isUpload({ method, path }: Request): boolean {
  return method === 'POST' && /^\/v1\/media\/?$/i.test(path);
}
