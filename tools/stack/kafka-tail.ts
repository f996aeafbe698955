import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { topicNames } from '@tidings/common/kafka/wire/cluster-view';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import type { LogRecord } from '@tidings/common/log-events/record';
import { StackError } from './paths';

/** How soon an idle topic is looked at again, milliseconds. */
const LOOK_EVERY_MS = 200;
/** Of one partition in one look. */
const PART_BYTES = 1024 * 1024;

/** What of a topic is shown. */
export interface Tail {
  topic: string;
  /** Only records with this key: a conversation, or a user. */
  key: string | null;
  /** Unix milliseconds; null: from now on. */
  from: number | 'beginning' | null;
  max: number;
}

/** Reads the words behind `tail`. `now`: Unix milliseconds. @throws Error whose message says why */
export function readTail(args: readonly string[], now: number): Tail {
  const { values, positionals } = parseArgs({
    args: withKey(args),
    allowPositionals: true,
    options: {
      'from-beginning': { type: 'boolean' },
      'from-time': { type: 'string' },
      key: { type: 'string' },
      max: { type: 'string' },
    },
  });
  const [topic, ...more] = positionals;
  if (topic === undefined || more.length > 0) throw new Error('tail takes one topic');
  const { key = null, max, 'from-time': time, 'from-beginning': beginning = false } = values;
  if (beginning && time !== undefined) throw new Error('from the beginning, or from a time?');
  if (max !== undefined && !/^[1-9]\d{0,8}$/.test(max)) throw new Error('--max takes a number');
  const from = time === undefined ? null : timeOf(time, now);
  return { topic, key, from: beginning ? 'beginning' : from, max: max ? Number(max) : Infinity };
}

/** `--key -x7…` as `--key=-x7…`: ids may begin with a dash, which else is an option's. */
function withKey(args: readonly string[]): string[] {
  const at = args.indexOf('--key');
  const key = args[at + 1];
  if (at < 0 || key === undefined || OPTIONS.test(key)) return [...args];
  return [...args.slice(0, at), `--key=${key}`, ...args.slice(at + 2)];
}

const OPTIONS = /^--(from-beginning|from-time|max|key)(=|$)/;

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `2026-11-25T10:00:00Z`, or so long ago: `90s`, `15m`, `2h`, `1d`. */
function timeOf(text: string, now: number): number {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  const at = ago ? now - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS] : Date.parse(text);
  if (Number.isNaN(at)) {
    throw new Error(`--from-time takes a time as 2026-11-25T10:00:00Z, or 15m: not "${text}"`);
  }
  return at;
}

/** @throws StackError when there is no such topic: asking for it would wait for ever */
async function checkTopic(kafka: KafkaClient, topic: string): Promise<void> {
  const topics = await topicNames(kafka);
  if (topics.includes(topic)) return;
  throw new StackError(
    `There is no topic "${topic}". ${topics.length === 0 ? 'There is none yet.' : `Topics:\n  ${topics.join('\n  ')}`}`,
  );
}

/**
 * Shows records as they come, those of one look by their times, until there are enough or it is stopped. It
 * leaves no consumer group behind.
 */
export async function tail(
  kafka: KafkaClient,
  { topic, key, from, max }: Tail,
  show: (record: LogRecord) => void,
  stopped: AbortSignal,
): Promise<void> {
  await checkTopic(kafka, topic);
  const offsets = new LogOffsets(kafka, { requestTimeout: 5_000 });
  try {
    const bounds = await offsets.logBounds(topic);
    const starts =
      typeof from === 'number'
        ? await offsets.offsetsAtTime(topic, from)
        : bounds.map(({ low, high }) => (from === 'beginning' ? low : high));
    const next = new Map(
      [...starts.entries()].filter(
        ([partition]) => key === null || partition === partitionOf(key, bounds.length),
      ),
    );
    for (let shown = 0; !stopped.aborted;) {
      const records: LogRecord[] = [];
      for (const [partition, offset] of next) {
        const part = await offsets.read(topic, partition, offset, { maxBytes: PART_BYTES });
        // retention was faster
        const at = part?.next ?? (await offsets.logBounds(topic))[partition]!.low;
        next.set(partition, at);
        records.push(...(part?.records ?? []));
      }
      const wanted = records.filter((record) => key === null || record.key === key);
      for (const record of wanted.sort((a, b) => a.timestamp - b.timestamp)) {
        show(record);
        if (++shown >= max) return;
      }
      if (records.length === 0) {
        await pause(LOOK_EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
      }
    }
  } finally {
    offsets.close();
  }
}
