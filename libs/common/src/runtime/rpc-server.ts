import type { INestApplication } from '@nestjs/common';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { TidingsError } from '../contracts/errors';
import type { RpcInput, RpcOutput, RpcTable } from '../contracts/internal';
import { CLUSTER_HEADER, verifyCall } from './credentials';
import type { Logger } from './logger';
import { encodeAnswer, lengthOf, type RpcAnswer } from './rpc-body';

/** One handler per call of a table. A handler throws {@link TidingsError} for its known errors. */
export type RpcHandlers<T extends RpcTable> = {
  [K in keyof T]: (input: RpcOutputOf<T, K>) => Promise<RpcInputOf<T, K>>;
};
// Inside the server a call's input is already parsed, and its output not yet serialised.
type RpcOutputOf<T extends RpcTable, K extends keyof T> = import('zod').output<T[K]['input']>;
type RpcInputOf<T extends RpcTable, K extends keyof T> = import('zod').input<T[K]['output']>;

/** Path prefix of internal calls. */
export const RPC_PREFIX = '/internal/';

/** Largest body of an internal call, in bytes. */
const BODY_LIMIT = 2 * 1024 * 1024;
/**
 * An answer that takes longer sends its status line first, in milliseconds: a sign of life, well
 * before a caller asks another node.
 */
const SIGN_OF_LIFE_AFTER_MS = 50;

interface Mounted<T extends RpcTable> {
  table: T;
  handlers: RpcHandlers<T>;
  secret: string;
  logger: Logger;
}

/**
 * Mounts the calls of a table on an application's HTTP listener, before its endpoints: what a call
 * needs of them is nothing. The status line of a slow answer goes out before it, as a sign of life: a
 * caller can tell a slow answer from a hung process. The outcome is in the body: `{ok}` or
 * `{error: {code, detail, …}}`.
 */
export function mountRpc<T extends RpcTable>(app: INestApplication, options: Mounted<T>): void {
  const server = app.getHttpServer() as Server;
  const others = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    if (request.method !== 'POST' || !path.startsWith(RPC_PREFIX)) {
      for (const other of others) other.call(server, request, response);
      return;
    }
    readBody(request, (body) => {
      if (body !== null) void answer({ request, response, path, body }, options);
      else refuse(response, 413, { code: 'invalid_request', detail: 'The call is too large' });
    });
  });
}

/** Tells the whole body, null when it is too large, and nothing when the caller has gone. */
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
  options: Mounted<T>,
): Promise<void> {
  const { request, response, path, body } = call;
  const name = path.slice(RPC_PREFIX.length);
  const proof = request.headers[CLUSTER_HEADER];
  if (!verifyCall(options.secret, String(proof), { path, body, nowMs: Date.now() })) {
    options.logger.warn({ path, from: request.socket.remoteAddress }, 'internal call refused');
    refuse(response, 401, { code: 'unauthorized', detail: 'Bad credentials' });
    return;
  }
  if (!Object.hasOwn(options.table, name)) {
    refuse(response, 404, { code: 'not_found', detail: 'No such call' });
    return;
  }
  response.setHeader('content-type', 'application/json');
  const signOfLife = setTimeout(() => response.flushHeaders(), SIGN_OF_LIFE_AFTER_MS);
  const pieces = encodeAnswer(await outcome(name, body, options), options.table[name]!.bytes);
  clearTimeout(signOfLife);
  if (!response.headersSent) response.setHeader('content-length', lengthOf(pieces));
  // all pieces in one write
  response.cork();
  for (const piece of pieces) response.write(piece);
  response.end();
  response.uncork();
}

function refuse(
  response: ServerResponse,
  status: number,
  error: { code: string; detail: string },
): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error }));
}

async function outcome<T extends RpcTable>(
  name: keyof T & string,
  body: string,
  options: { table: T; handlers: RpcHandlers<T>; logger: Logger },
): Promise<RpcAnswer> {
  try {
    const input = options.table[name]!.input.safeParse(JSON.parse(body));
    if (!input.success) {
      const errors = input.error.issues.map((i) => ({
        path: i.path.join('.'),
        message: i.message,
      }));
      throw new TidingsError('invalid_request', { errors });
    }
    const handler = options.handlers[name] as (input: unknown) => Promise<unknown>;
    return { ok: await handler(input.data) };
  } catch (error) {
    if (error instanceof TidingsError) {
      const { code, message, errors, retryAfterMs } = error;
      return { error: { code, detail: message, errors, retryAfterMs } };
    }
    options.logger.error({ err: error, call: name }, 'internal call failed');
    return { error: { code: 'internal', detail: 'The call failed' } };
  }
}

export type { RpcInput, RpcOutput };
