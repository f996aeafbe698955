import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ExpressAdapter } from '@nestjs/platform-express';
import { TidingsError } from '@tidings/common/contracts/errors';
import { ProblemFilter, sendProblem } from '@tidings/common/runtime/problem.filter';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Express, NextFunction, Request, Response } from 'express';
import { json } from 'express';
import helmet from 'helmet';
import { refuseMethods } from './allowed-methods';
import { answerBrokenRequests } from './broken-requests';

/** Largest JSON body: a text of the limit in which every character is escaped. */
const BODY_LIMIT = 128 * 1024;
/** Bounds for slow clients, milliseconds; Node's own are 60 s and 300 s. */
const HEADERS_TIMEOUT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 12_000;
/** An upload may take longer; it is given up earlier when nothing comes. */
const UPLOAD_TIMEOUT_MS = 600_000;
const CHECK_MS = 1_000;
const KEEP_ALIVE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;

/** Express on an HTTP server with bounds for slow clients. */
export class BoundedExpressAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const options = {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: UPLOAD_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    };
    const server = createServer(options, this.getInstance());
    answerBrokenRequests(server);
    this.httpServer = server;
  }

  /** Nest calls it when all endpoints are there. */
  override setNotFoundHandler(...args: Parameters<ExpressAdapter['setNotFoundHandler']>): void {
    this.use(refuseMethods(this.getInstance<Express>()));
    super.setNotFoundHandler(...args);
  }
}

export interface HttpOptions {
  /** Origins of web pages that may call this gateway, beside its own. */
  allowedOrigins: readonly string[];
  /** Express' `trust proxy`. */
  trustProxy?: string;
  logger: Logger;
}

/** Sets up everything that all endpoints share; call it before `init`. */
export function configureHttp(app: NestExpressApplication, options: HttpOptions): void {
  app.set('query parser', 'simple');
  app.set('etag', false);
  if (options.trustProxy !== undefined) app.set('trust proxy', trustProxy(options.trustProxy));
  const parseJson = json({ limit: BODY_LIMIT, strict: true });
  app.use(identify, helmet(), (request: Request, response: Response, next: NextFunction) => {
    if (isUpload(request)) return next();
    boundBody(request);
    parseJson(request, response, next);
  });
  app.enableCors({ origin: [...options.allowedOrigins], credentials: false, maxAge: 600 });
  app.setGlobalPrefix('v1');
  app.useGlobalFilters(new ProblemFilter(options.logger));
}

/** Listens; whatever no endpoint takes ends in a problem document, on every path. */
export async function listen(
  app: NestExpressApplication,
  port: number,
  host: string,
): Promise<void> {
  await app.init();
  app.use((request: Request & { id?: string }, response: Response) => {
    sendProblem(response, new TidingsError('not_found'), request.id ?? '');
  });
  await app.listen(port, host);
}

/** The HTTP server below an application. */
export function serverOf(app: NestExpressApplication): Server {
  return app.getHttpServer() as Server;
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

/** Whether the body is bytes for the media endpoint, whatever its type says. */
function isUpload({ method, path }: Request): boolean {
  return method === 'POST' && /^\/v1\/media\/?$/i.test(path);
}

/** Ends a request whose body is not complete in time. */
function boundBody(request: Request): void {
  const { headers } = request;
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
  const timer = setTimeout(() => request.destroy(), REQUEST_TIMEOUT_MS);
  request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
}

function trustProxy(value: string): number | string {
  return /^[0-9]+$/.test(value) ? Number(value) : value;
}
