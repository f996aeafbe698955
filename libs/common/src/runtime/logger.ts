import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Names of fields that never reach a log line, wherever they are. */
const SECRET_FIELDS = [
  'password',
  'accessToken',
  'refreshToken',
  'ticket',
  'resumeTicket',
  'authorization',
  'content',
  'text',
];

/** The process's logger: one JSON line per event on stdout, without message bodies or secrets. */
export function createLogger(options: { service: string; nodeId: string; level: string }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service, node: options.nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap((f) => [f, `*.${f}`, `*.*.${f}`]),
      censor: '[redacted]',
    },
  });
}

/** Nest's own messages through the same logger. */
export function nestLogger(logger: Logger): LoggerService {
  const line =
    (level: 'info' | 'error' | 'warn' | 'debug' | 'trace') =>
    (message: unknown, ...rest: unknown[]): void => {
      const context = rest.at(-1);
      logger[level](
        { context: typeof context === 'string' ? context : undefined },
        message instanceof Error ? (message.stack ?? message.message) : String(message),
      );
    };
  return {
    log: line('debug'),
    error: line('error'),
    warn: line('warn'),
    debug: line('trace'),
    verbose: line('trace'),
  };
}
