import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { ERRORS, TidingsError, type ErrorCode } from '@tidings/protocol/errors';
import type { Problem } from '@tidings/protocol/http';
import type { Answered, ErrorAnswers } from './error-answers';

const BY_STATUS: Record<number, ErrorCode> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  413: 'payload_too_large',
  415: 'unsupported_media',
  429: 'rate_limited',
  503: 'unavailable',
};

/** Turns every error of an HTTP request into a problem document (RFC 9457). */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly answers: Pick<ErrorAnswers, 'note'>) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request & { id?: string }>();
    const error = toTidingsError(thrown);
    const requestId = String(request.id ?? '');
    this.answers.note(callOf(request), error, thrown, { requestId });
    sendProblem(http.getResponse<Response>(), error, requestId);
  }
}

/** Named by the route's pattern, with nothing that a client sends. */
function callOf(request: Request): Answered {
  const { route } = request as { route?: { path?: unknown } };
  if (typeof route?.path !== 'string') return { method: 'other', route: 'none' };
  return { method: request.method, route: route.path };
}

/** Writes one problem document. */
export function sendProblem(response: Response, error: TidingsError, requestId: string): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  if (error.retryAfterMs !== undefined || error.status === 503) {
    const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
    response.setHeader('Retry-After', String(seconds));
  }
  response
    .status(error.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(error, requestId)));
}

/** An error as a problem document (RFC 9457). */
export function problemOf(error: TidingsError, requestId: string): Problem {
  return {
    type: `urn:tidings:error:${error.code}`,
    title: ERRORS[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    requestId,
    retryable: error.retryable,
    ...(error.errors && { errors: error.errors }),
  };
}

/** Any thrown value as one of our errors. Unknown ones become `internal` and reveal nothing. */
export function toTidingsError(thrown: unknown): TidingsError {
  if (thrown instanceof TidingsError) return thrown;
  const status = statusOf(thrown);
  const code =
    BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'invalid_request' : 'internal');
  return new TidingsError(code, { cause: thrown });
}

function statusOf(thrown: unknown): number {
  if (thrown instanceof HttpException) return thrown.getStatus();
  // body-parser's errors carry `status`, and `expose` when it is the client's fault
  const raw = thrown as { status?: unknown; expose?: unknown } | null;
  return raw?.expose === true && typeof raw.status === 'number' ? raw.status : 500;
}
