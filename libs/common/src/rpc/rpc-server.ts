import type { IncomingMessage, ServerResponse } from 'node:http';
import { TidingsError, type ErrorCode } from '@tidings/protocol/errors';
import { fieldErrors } from '@tidings/protocol/field-errors';
import type { RpcTable } from './calls';
import {
  callName,
  CallJudge,
  CLUSTER_HEADER,
  RECEIVER_HEADER,
  type CallRefusal,
} from './credentials';
import { failpoint, FAILPOINTS_SET } from '../runtime/failpoint';
import { hasLeft } from '../runtime/has-left';
import type { Logger } from '../runtime/logger';
import type { Metrics } from '../runtime/metrics';
import { encodeAnswer, lengthOf, type Pieces } from './rpc-body';

/** One handler per call of a table. A handler throws {@link TidingsError} for expected errors. */
export type RpcHandlers<T extends RpcTable> = {
  [K in keyof T]: (input: RpcOutputOf<T, K>) => Promise<RpcInputOf<T, K>>;
};
// Inside the server a call's input is already parsed, and its output not yet serialized.
type RpcOutputOf<T extends RpcTable, K extends keyof T> = import('zod').output<T[K]['input']>;
type RpcInputOf<T extends RpcTable, K extends keyof T> = import('zod').input<T[K]['output']>;

/** Path prefix of internal calls. */
export const RPC_PREFIX = '/internal/';

/** Largest body of an internal call, in bytes. */
const BODY_LIMIT = 2 * 1024 * 1024;
/**
 * A slower answer is announced after this time, in milliseconds: well before a caller asks another
 * node.
 */
const SIGN_OF_LIFE_AFTER_MS = 50;

/** Per reason one refusal is logged in this time, in milliseconds; the metric counts them all. */
const REFUSALS_EVERY_MS = 10_000;

/** `left`: its caller had gone before it could be carried out. */
type Refusal = CallRefusal | 'left';

interface Mounted<T extends RpcTable> {
  table: T;
  handlers: RpcHandlers<T>;
  /** Of this instance. */
  nodeId: string;
  secret: string;
  logger: Logger;
  metrics: Metrics;
}

/** Answers one request; false: it is not a call. */
type AnswerCall = (request: IncomingMessage, response: ServerResponse) => boolean;

/** What the calls of one listener share. */
interface Answering<T extends RpcTable> extends Mounted<T> {
  judge: CallJudge;
  taken(): void;
  refused(request: IncomingMessage, path: string, reason: Refusal): void;
  failed(call: string, code: ErrorCode, cause: unknown): void;
}

/**
 * Answers the calls of a table on an HTTP server. A slow answer is announced by `102 Processing`
 * (RFC 2518, 10.1), a sign of life: a caller can tell a slow answer from a hung process. Every
 * answer has its length, so that a caller can tell a complete one from one that was cut off. The
 * outcome is in the body: `{ok}` or `{error: {code, detail, …}}`; with a status other than 200 the
 * call was not accepted at all. A call for another receiver is refused with the name of this one:
 * the caller signs it again.
 */
export function answerCalls<T extends RpcTable>(options: Mounted<T>): AnswerCall {
  const answering = { ...options, ...watched(options), judge: judgeOf(options) };
  return (request, response) => {
    const path = request.url ?? '';
    if (request.method !== 'POST' || !path.startsWith(RPC_PREFIX)) return false;
    readBody(request, (body) => {
      if (body === null) {
        refuse(response, 413, { code: 'invalid_request', detail: 'The call is too large' });
        return;
      }
      answer({ request, response, path, body }, answering).catch((error: unknown) => {
        options.logger.error(
          { err: error, path: path.slice(0, 100) },
          'an internal call could not be answered',
        );
        response.destroy();
      });
    });
    return true;
  };
}

/** Refuses the calls to a service that is starting: another instance is asked. */
export const callsComeLater: AnswerCall = (request, response) => {
  if (request.method !== 'POST' || !request.url?.startsWith(RPC_PREFIX)) return false;
  request.resume();
  refuse(response, 503, { code: 'unavailable', detail: 'This service is starting' });
  return true;
};

function judgeOf({ secret, nodeId }: { secret: string; nodeId: string }): CallJudge {
  return new CallJudge(secret, callName(nodeId));
}

/** Shows operators what was refused and what failed. */
function watched(options: { logger: Logger; metrics: Metrics }) {
  const { logger, metrics } = options;
  const taken = metrics.counter('internal_calls_total', 'Internal calls that were carried out');
  const refusals = metrics.counter(
    'internal_calls_refused_total',
    'Internal calls that were not carried out; receiver: the caller had to learn the name of this run; ' +
      'left: the caller had gone',
    ['reason'],
  );
  const errors = metrics.counter(
    'internal_call_errors_total',
    'Internal calls answered with an error whose status is 500 or more',
    ['call', 'code'],
  );
  const loggedAt = new Map<Refusal, number>();
  return {
    taken: (): void => taken.inc(),
    refused(request: IncomingMessage, path: string, reason: Refusal): void {
      refusals.inc({ reason });
      // every caller's first call
      if (reason === 'receiver') return;
      const now = performance.now();
      if (now - (loggedAt.get(reason) ?? -Infinity) < REFUSALS_EVERY_MS) return;
      loggedAt.set(reason, now);
      const from = request.socket.remoteAddress;
      logger.warn({ path: path.slice(0, 100), from, reason }, 'internal call refused');
    },
    failed(call: string, code: ErrorCode, cause: unknown): void {
      errors.inc({ call, code });
      const level = code === 'internal' ? 'error' : 'warn';
      logger[level]({ err: cause, call, code }, 'internal call failed');
    },
  };
}

/** Passes on the whole body, null when it is too large, and nothing when the caller has gone. */
function readBody(request: IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
  });
  request.on('end', () => done(size > BODY_LIMIT ? null : Buffer.concat(chunks).toString('utf8')));
  request.on('error', () => undefined);
}

async function answer<T extends RpcTable>(
  call: { request: IncomingMessage; response: ServerResponse; path: string; body: string },
  answering: Answering<T>,
): Promise<void> {
  const { request, response, path, body } = call;
  const name = path.slice(RPC_PREFIX.length);
  const { judge } = answering;
  const proof = request.headers[CLUSTER_HEADER];
  const refusal = judge.refusal(String(proof), { path, body, nowMs: Date.now() });
  if (refusal !== null) {
    answering.refused(request, path, refusal);
    // only to callers that have the secret
    if (refusal === 'receiver') response.setHeader(RECEIVER_HEADER, judge.receiver);
    refuse(response, 401, { code: 'unauthorized', detail: `Bad credentials: ${refusal}` });
    return;
  }
  if (!Object.hasOwn(answering.table, name)) {
    refuse(response, 404, { code: 'not_found', detail: 'No such call' });
    return;
  }
  if (answering.table[name]!.ordered && (await hasLeft(request))) {
    answering.refused(request, path, 'left');
    response.destroy();
    return;
  }
  answering.taken();
  const signOfLife = setTimeout(() => response.writeProcessing(), SIGN_OF_LIFE_AFTER_MS);
  const pieces = await outcome(name, body, answering);
  clearTimeout(signOfLife);
  send(response, 200, pieces);
}

/** Sends all pieces in one write, with their length: no part of it depends on Node's chunking. */
function send(response: ServerResponse, status: number, pieces: Pieces): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': lengthOf(pieces),
  });
  response.cork();
  for (const piece of pieces) response.write(piece);
  // ends the cork, too
  response.end();
}

function refuse(
  response: ServerResponse,
  status: number,
  error: { code: string; detail: string },
): void {
  send(response, status, [Buffer.from(JSON.stringify({ error }))]);
}

async function outcome<T extends RpcTable>(
  name: keyof T & string,
  body: string,
  options: Pick<Answering<T>, 'table' | 'handlers' | 'failed'>,
): Promise<Pieces> {
  const { input: schema, bytes } = options.table[name]!;
  try {
    const input = schema.safeParse(JSON.parse(body));
    if (!input.success) {
      throw new TidingsError('invalid_request', { errors: fieldErrors(input.error) });
    }
    if (FAILPOINTS_SET) await failpoint('rpc.beforeHandler');
    const handler = options.handlers[name] as (input: unknown) => Promise<unknown>;
    return encodeAnswer({ ok: await handler(input.data) }, bytes);
  } catch (error) {
    if (error instanceof TidingsError) {
      const { code, message, errors, retryAfterMs } = error;
      if (error.status >= 500) options.failed(name, code, error);
      return encodeAnswer({ error: { code, detail: message, errors, retryAfterMs } }, bytes);
    }
    options.failed(name, 'internal', error);
    return encodeAnswer({ error: { code: 'internal', detail: 'The call failed' } }, bytes);
  }
}
