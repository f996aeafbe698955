import type { LoggerService } from '@nestjs/common';
import { pino, type Logger, type LoggerOptions } from 'pino';
import { safeFields, safeText } from './log-safety';

export type { Logger } from 'pino';

/** Names of fields that never reach a log line, wherever they occur. */
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

interface LoggerIdentity {
  service: string;
  nodeId: string;
  level: string;
}

/** The process' logger: one JSON line per event on stdout, without message bodies or secrets. */
export function createLogger(identity: LoggerIdentity): Logger {
  return pino(loggerOptions(identity));
}

/** Its settings. Whatever a line is about, it is bounded and harmless to a terminal. */
export function loggerOptions(options: LoggerIdentity): LoggerOptions {
  return {
    level: options.level,
    base: { service: options.service, node: options.nodeId },
    timestamp: pino.stdTimeFunctions.isoTime,
    // the hook below has already made it
    serializers: { err: (error: unknown) => error },
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap((f) => [f, `*.${f}`, `*.*.${f}`]),
      censor: '[redacted]',
    },
    hooks: {
      // the one place that every line passes before it becomes text
      logMethod(args, method) {
        const [first, ...rest] = args as unknown[];
        const fields = first instanceof Error ? { err: first } : first;
        const message =
          first instanceof Error && rest.length === 0 ? [safeText(first.message)] : [];
        const safe = [fields, ...rest, ...message].map((value) => safeFields(value));
        method.apply(this, safe as Parameters<typeof method>);
      },
    },
  };
}

/** Passes Nest's own messages through the same logger. */
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
