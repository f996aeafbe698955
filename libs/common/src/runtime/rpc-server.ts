import type { INestApplication } from '@nestjs/common';
import type { Request, Response } from 'express';
import express from 'express';
import { TidingsError } from '../contracts/errors';
import type { RpcInput, RpcOutput, RpcTable } from '../contracts/internal';
import { CLUSTER_HEADER, verifyCall } from './credentials';
import type { Logger } from './logger';
import { encodeAnswer, type RpcAnswer } from './rpc-body';

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
 * Mounts the calls of a table on an application's HTTP listener. The status line goes out before
 * the handler runs, as a sign of life: a caller can tell a slow answer from a hung process. The
 * outcome is in the body: `{ok}` or `{error: {code, detail, …}}`.
 */
export function mountRpc<T extends RpcTable>(
  app: INestApplication,
  options: { table: T; handlers: RpcHandlers<T>; secret: string; logger: Logger },
): void {
  const server = app.getHttpAdapter().getInstance() as express.Express;
  server.post(
    `${RPC_PREFIX}:name`,
    express.text({ type: () => true, limit: BODY_LIMIT }),
    (request: Request, response: Response) => {
      void answer(request, response, options);
    },
  );
}

async function answer<T extends RpcTable>(
  request: Request,
  response: Response,
  options: { table: T; handlers: RpcHandlers<T>; secret: string; logger: Logger },
): Promise<void> {
  const name = String(request.params['name']);
  const body = typeof request.body === 'string' ? request.body : '';
  const proof = request.headers[CLUSTER_HEADER];
  const path = `${RPC_PREFIX}${name}`;
  if (!verifyCall(options.secret, String(proof), { path, body, nowMs: Date.now() })) {
    options.logger.warn({ path, from: request.socket.remoteAddress }, 'internal call refused');
    response.status(401).json({ error: { code: 'unauthorized', detail: 'Bad credentials' } });
    return;
  }
  if (!Object.hasOwn(options.table, name)) {
    response.status(404).json({ error: { code: 'not_found', detail: 'No such call' } });
    return;
  }
  response.status(200).setHeader('content-type', 'application/json');
  response.flushHeaders();
  response.end(encodeAnswer(await outcome(name, body, options), options.table[name]!.bytes));
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
