import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TidingsError } from '@tidings/protocol/errors';
import { problemOf } from '@tidings/common/runtime/problem.filter';

/** What Node's parser gives up with, where it is not 400. */
const STATUSES: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Node's own name for the answer under way, as its default listener uses it. */
type AnsweringSocket = Duplex & { _httpMessage?: { headersSent: boolean } | null };

/** Answers what is no HTTP, or comes too slowly, with a problem document as well, and closes. */
export function answerBrokenRequests(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // An answer that has begun cannot become another one.
    const begun = (socket as AnsweringSocket)._httpMessage?.headersSent === true;
    if (error.code === 'ECONNRESET' || !socket.writable || begun) {
      socket.destroy();
      return;
    }
    socket.end(brokenRequestAnswer(STATUSES[error.code ?? ''] ?? 400), () => socket.destroy());
  });
}

function brokenRequestAnswer(status: number): string {
  const detail = 'The request cannot be read as HTTP, or came too slowly';
  return answerRaw(new TidingsError('invalid_request', { detail, status }));
}

/** A whole answer with a problem document, for a connection without a request; the connection ends with it. */
export function answerRaw(error: TidingsError): string {
  const { status, retryAfterMs } = error;
  const body = JSON.stringify(problemOf(error, randomUUID()));
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (retryAfterMs !== undefined) lines.push(`Retry-After: ${Math.ceil(retryAfterMs / 1000)}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
