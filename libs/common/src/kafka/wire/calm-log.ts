import { logLevel, type LogEntry, type logCreator } from 'kafkajs';
import { countRepeats } from '../../runtime/repeats';

/** Levels that {@link KafkaLog} receives, named as in pino. */
type KafkaLogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Receives what the client library logs. `extra` holds plain values only. */
export type KafkaLog = (
  level: KafkaLogLevel,
  message: string,
  extra: Record<string, unknown>,
) => void;

/** Uses a process' own log as the receiver. */
export function kafkaLogInto(
  logger: Record<KafkaLogLevel, (about: object, message: string) => void>,
): KafkaLog {
  return (level, message, extra) => logger[level](extra, message);
}

/** How long brokers that are still starting are only reported as information. */
const CALM_START_MS = 15_000;

/** What is reported elsewhere, or of no use to an operator. */
const HIDDEN = new Set(['message', 'timestamp', 'logger', 'stack']);

/**
 * Messages that a cluster or group produces in its first seconds, and that resolve on their own.
 */
const STARTING = /coordinator|LEADER_NOT_AVAILABLE|rebalanc|Connection error|Failed to connect/i;

/**
 * Log creator for kafkajs. What kafkajs takes for trouble but resolves on its own (a starting
 * cluster) becomes information, and its information becomes debug. A message that repeats (every
 * attempt during an outage) is passed on once in a while.
 */
export function calmLog(log: KafkaLog | undefined, now: () => number = Date.now): logCreator {
  const calmUntil = now() + CALM_START_MS;
  const repeats = countRepeats(now);
  return () => (entry: LogEntry) => {
    if (!log) return;
    const { message } = entry.log;
    const level = levelOf(entry, now() < calmUntil);
    const repeated = level === 'debug' ? 0 : repeats(message);
    if (repeated === null) return;
    const extra = Object.entries(entry.log).filter(([name]) => !HIDDEN.has(name));
    log(level, message, {
      ...Object.fromEntries(extra),
      ...(repeated > 0 ? { repeated } : {}),
      part: entry.namespace,
    });
  };
}

/**
 * The `onError` of a consumer that logs warnings. The same trouble, of whatever partition, is
 * passed on once in a while, with the number of omitted ones.
 */
export function calmTrouble(
  logger: { warn(about: object, message: string): void },
  message = 'consumer trouble',
  now: () => number = Date.now,
): (error: unknown, what: string) => void {
  const repeats = countRepeats(now);
  return (error, what) => {
    const doing = what.replace(/ \S+\/\d+$/, '');
    const repeated = repeats(`${doing}: ${error instanceof Error ? error.message : String(error)}`);
    if (repeated === null) return;
    logger.warn({ err: error, what, ...(repeated > 0 ? { repeated } : {}) }, message);
  };
}

function levelOf({ level, log }: LogEntry, starting: boolean): KafkaLogLevel {
  if (level === logLevel.WARN) return 'warn';
  if (level !== logLevel.ERROR) return 'debug';
  return starting && STARTING.test(`${log.message} ${String(log.error ?? '')}`) ? 'info' : 'error';
}
