import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { TidingsError } from '@tidings/protocol/errors';
import { containServer } from '@tidings/common/runtime/contained-server';
import type { Defects } from '@tidings/common/runtime/defects';
import { answerHealth, type HealthParts } from '@tidings/common/runtime/health';
import { listening, type Place } from '@tidings/common/runtime/listening';
import { problemOf } from '@tidings/common/runtime/problem.filter';
import { answerBrokenRequests } from './broken-requests';
import { UpgradableRequest } from './upgradable-request';

/** Bounds for slow clients, milliseconds; Node's own are 60 s and 300 s. */
const HEADERS_TIMEOUT_MS = 8_000;
/** An upload may take longer; it is given up earlier when nothing comes. */
const UPLOAD_TIMEOUT_MS = 600_000;
const CHECK_MS = 1_000;
const KEEP_ALIVE_MS = 30_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Connections before there are endpoints, each for one answer. */
const MAX_EARLY = 500;
const EARLY_RETRY_SECONDS = '1';

/**
 * The HTTP server for clients, with bounds for slow ones. It may listen before there are endpoints: until
 * then it answers what is asked about this process, and 503 to everything else, upgrades included.
 */
export class ClientServer {
  readonly server: Server;
  private endpoints: RequestListener | null = null;

  constructor(
    private readonly parts: {
      /** Null: another listener answers for the process. */
      health: HealthParts | null;
      /** Told of each request that came before there was anybody to answer it. */
      early?: () => void;
    },
  ) {
    const options = {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: UPLOAD_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      IncomingMessage: UpgradableRequest,
    };
    this.server = createServer(options, (request, response) => this.take(request, response));
    this.server.maxConnections = MAX_EARLY;
    answerBrokenRequests(this.server);
  }

  /** Listens, unless it does already. Rejects when the address is not available. */
  async listen(place: Place, defects: Defects): Promise<void> {
    if (this.server.listening) return;
    await listening(this.server, place);
    containServer(this.server, defects);
  }

  /** What comes from now on is theirs. */
  serve(endpoints: RequestListener): void {
    this.endpoints = endpoints;
  }

  /** Accepts no new connections, and ends once the last request is answered. */
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    if (this.endpoints) this.endpoints(request, response);
    else this.answerEarly(request, response);
  }

  /** Its connection ends with the answer: nobody has counted it. */
  private answerEarly(request: IncomingMessage, response: ServerResponse): void {
    const { health, early } = this.parts;
    response.shouldKeepAlive = false;
    if (health && answerHealth(request, response, health)) return;
    early?.();
    const error = new TidingsError('unavailable', { detail: 'This gateway is starting' });
    response.writeHead(error.status, {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'retry-after': EARLY_RETRY_SECONDS,
    });
    response.end(JSON.stringify(problemOf(error, randomUUID())));
  }
}
