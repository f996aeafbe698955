import { logLevel, type LogEntry, type logCreator } from 'kafkajs';
import { countRepeats } from '../../runtime/repeats';

/** Levels that {@link KafkaLog} receives; the names of pino's levels. */
type KafkaLogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Receives what the client library reports. `extra` holds plain values only. */
export type KafkaLog = (
  level: KafkaLogLevel,
  message: string,
  extra: Record<string, unknown>,
) => void;

/** A process's own log as the receiver. */
export function kafkaLogInto(
  logger: Record<KafkaLogLevel, (about: object, message: string) => void>,
): KafkaLog {
  return (level, message, extra) => logger[level](extra, message);
}

/** Grace in which brokers that are still starting are reported as information only. */
const CALM_START_MS = 15_000;

/** What is said otherwise or of no use to an operator. */
const HIDDEN = new Set(['message', 'timestamp', 'logger', 'stack']);

/** Messages that a cluster or group in its first seconds produces and that mend themselves. */
const STARTING = /coordinator|LEADER_NOT_AVAILABLE|rebalanc|Connection error|Failed to connect/i;

/**
 * Log creator for kafkajs: what is trouble for kafkajs but passes by itself (a cluster that starts) is
 * information, its information is detail, and a message that repeats (every attempt during an outage)
 * is passed on once in a while.
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
 * The `onError` of a consumer that writes warnings: the same trouble, of whatever partition, is passed
 * on once in a while, with the number of those left out.
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
