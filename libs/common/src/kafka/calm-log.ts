import { logLevel, type LogEntry, type logCreator } from 'kafkajs';

/** Levels that {@link KafkaLog} receives; the names of pino's levels. */
export type KafkaLogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Receives what the client library reports. `extra` holds plain values only. */
export type KafkaLog = (
  level: KafkaLogLevel,
  message: string,
  extra: Record<string, unknown>,
) => void;

/** Grace in which brokers that are still starting are reported as information only. */
const CALM_START_MS = 15_000;
/** The same message is passed on once per this time, with the number of those left out. */
const REPEAT_MS = 10_000;
/** Distinct messages that are remembered. */
const REMEMBERED = 200;

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
  const seen = new Map<string, { until: number; left: number }>();
  const repeats = (message: string): number | null => {
    const last = seen.get(message);
    if (last && now() < last.until) {
      last.left++;
      return null;
    }
    if (seen.size >= REMEMBERED) seen.clear();
    seen.set(message, { until: now() + REPEAT_MS, left: 0 });
    return last?.left ?? 0;
  };
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

function levelOf({ level, log }: LogEntry, starting: boolean): KafkaLogLevel {
  if (level === logLevel.WARN) return 'warn';
  if (level !== logLevel.ERROR) return 'debug';
  return starting && STARTING.test(`${log.message} ${String(log.error ?? '')}`) ? 'info' : 'error';
}
