import { setTimeout as pause } from 'node:timers/promises';
import { type BookEntry, settledBy } from '@tidings/common/kafka/dead-letters/letter-book';
import type { LetterMarks } from '@tidings/common/kafka/dead-letters/letter-marks';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { type AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import {
  DEAD_LETTER_HEADERS,
  headerText,
  letterId,
  originKey,
  REPLAY_OF_HEADER,
} from '@tidings/common/log-events/dead-letter';
import { RECORD_HEADERS } from '@tidings/common/log-events/events';
import type { LogRecord } from '@tidings/common/log-events/record';
import { GROUP_TOPICS, GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { WINDOW_MS } from '../../apps/session/src/domain/recent-ids';
import type { DeadLetterShelf } from './dead-letter-shelf';
import { changedMessage, judge } from './judge';

/** A replay that was begun so lately may still be under way, milliseconds. */
const UNDER_WAY_MS = 60_000;
/** Clocks of machines may differ by this, milliseconds. */
const SKEW_MS = 10_000;
/** What an event of presence says is over so long after it, milliseconds. */
const PRESENCE_MS = 60_000;
/** The most records that are looked at behind a record. */
const LOOK_RECORDS = 2_000_000;
const APPEND_MS = 30_000;
/** See {@link ReplayParts.watchMs}. */
const WATCH_MS = 20_000;
const LOOK_EVERY_MS = 250;

/** What came of it. */
export interface Replayed {
  ok: boolean;
  says: string;
}

export interface ReplayParts {
  kafka: KafkaClient;
  shelf: DeadLetterShelf;
  marks: Pick<LetterMarks, 'put'>;
  /** Who does it. */
  by: string;
  /** Told while it waits. */
  say: (line: string) => void;
  /** Unix milliseconds. */
  now?: () => number;
  /** How long consumers may take to read what was appended, milliseconds. */
  watchMs?: number;
}

/** Why a record must not be appended again. */
class Refused extends Error {}

/**
 * Appends records again that were set aside. Marks say when one has begun and where it has ended, so that a
 * second one appends nothing, also when the first was cut off.
 */
export class Replay {
  private readonly now: () => number;

  constructor(private readonly parts: ReplayParts) {
    this.now = parts.now ?? (() => Date.now());
  }

  /**
   * One record. `anyway`: also where it would undo a later edit, or say something that is over. Rejects when
   * Kafka does not answer.
   */
  async run(entry: BookEntry, anyway: boolean): Promise<Replayed> {
    const settled = settledBy(entry);
    if (settled) {
      const { mark, by, at, to, reason } = settled;
      const when = `${new Date(at).toISOString()} by ${by}`;
      const ok = mark === 'replayed';
      const says = ok
        ? `was replayed to ${to}, ${when}: nothing to do`
        : `was dropped ${when}: ${reason}`;
      return { ok, says };
    }
    try {
      const to = (await this.appendedBefore(entry)) ?? (await this.append(entry, anyway));
      await this.parts.marks.put(entry, { mark: 'replayed', by: this.parts.by, reason: '', to });
      return await this.fate(entry.origin.topic, to);
    } catch (error) {
      if (error instanceof Refused) return { ok: false, says: error.message };
      throw error;
    }
  }

  /** Where an earlier replay, which was cut off, has put it; null: nowhere. */
  private async appendedBefore(entry: BookEntry): Promise<string | null> {
    const begun = entry.marks.filter(({ mark }) => mark === 'replaying');
    const [first, last] = [begun[0], begun.at(-1)];
    if (!first || !last) return null;
    if (this.now() - last.at < UNDER_WAY_MS) {
      const since = new Date(last.at).toISOString();
      throw new Refused(`is being replayed by ${last.by} since ${since}: try again in a minute`);
    }
    const { topic } = entry.origin;
    const key = entry.letters[0]?.key ?? '';
    const { offsets } = this.parts.shelf;
    const from = await offsets.offsetsAtTime(topic, first.at - SKEW_MS);
    const partition = partitionOf(key, from.length);
    const found = await this.look(
      topic,
      partition,
      from[partition]!,
      (record) => headerText(record.headers, REPLAY_OF_HEADER) === originKey(entry.origin),
    );
    if (found === 'too far') {
      throw new Refused(
        'an earlier replay was cut off, and too much was appended since to see how far it got',
      );
    }
    return found && letterId(found);
  }

  private async append(entry: BookEntry, anyway: boolean): Promise<string> {
    const { shelf, marks, by } = this.parts;
    const record = await shelf.recordOf(entry);
    if (!record) throw new Refused('is gone: retention has taken it');
    const { topic } = entry.origin;
    const judged = judge(topic, record);
    if (!judged.readable) {
      throw new Refused(
        `cannot be read by this version: ${judged.why}. Nothing was appended; replay it with one that can, or drop it`,
      );
    }
    if (!anyway) await this.refuseStale(entry, record, judged);
    await this.outwait(entry);
    await marks.put(entry, { mark: 'replaying', by, reason: '', to: '' });
    return this.write(entry, record);
  }

  private async refuseStale(
    { origin }: BookEntry,
    record: LogRecord,
    { edit, presence }: { edit: { messageId: string } | null; presence: boolean },
  ): Promise<void> {
    if (presence && this.now() - origin.timestamp > PRESENCE_MS) {
      throw new Refused(
        'says who was here then, as if it were now; gateways have said it anew since: drop it, or replay it --anyway',
      );
    }
    if (!edit) return;
    const { offsets } = this.parts.shelf;
    const bounds = await offsets.logBounds(origin.topic);
    const partition = partitionOf(record.key, bounds.length);
    const { low } = bounds[partition]!;
    const same = partition === origin.partition && origin.offset >= low;
    const from = same ? origin.offset + 1n : low;
    const later = await this.look(
      origin.topic,
      partition,
      from,
      (one) => one.key === record.key && changedMessage(one) === edit.messageId,
    );
    if (later === null) return;
    const what =
      later === 'too far' ? 'may have been changed' : `was changed again (${letterId(later)})`;
    throw new Refused(
      `is an edit, and its message ${what} since: drop it, or undo that with --anyway`,
    );
  }

  /** Session drops an id that it has pushed, for as long as it remembers it; those who came since would miss it. */
  private async outwait({ origin, letters }: BookEntry): Promise<void> {
    const passed = letters.some(({ group }) => group === GROUPS.sessionRouting);
    if (origin.topic !== TOPICS.messages || passed) return;
    const leftMs = origin.timestamp + WINDOW_MS + SKEW_MS - this.now();
    if (leftMs <= 0) return;
    this.parts.say(
      `Session remembers its id for a while: waiting ${Math.ceil(leftMs / 1_000)} s …`,
    );
    await pause(leftMs);
  }

  private async write(entry: BookEntry, record: LogRecord): Promise<string> {
    const { kafka, shelf } = this.parts;
    const { topic } = entry.origin;
    const { key, type, id, time, value } = record;
    const writer = new LogWriter({
      kafka,
      topic,
      partitions: (await shelf.offsets.logBounds(topic)).length,
      source: record.source || 'dlq',
      epoch: await this.epoch(record.epoch),
    });
    await writer.start();
    const headers = { ...otherHeaders(record), [REPLAY_OF_HEADER]: originKey(entry.origin) };
    const answer = new Promise<AppendResult>((resolve, reject) => {
      const taken = writer.append({ key, type, id, time, value, headers }, resolve, {
        again: true,
      });
      if (!taken) reject(new Error('the writer takes no record'));
    });
    try {
      await Promise.race([answer, pause(APPEND_MS, undefined, { ref: false })]);
    } finally {
      await writer.stop({ flushMs: 0 });
    }
    const result = await answer;
    if (result.ok) return letterId({ topic, ...result });
    if (result.reason !== 'stopped') throw new Refused(`cannot be appended: ${result.reason}`);
    throw new Refused(
      'was perhaps appended: Kafka gave no answer in time. Say it again in a minute: it looks first',
    );
  }

  /** The log's epoch now: a record of an earlier one would be passed over. */
  private async epoch(own: number): Promise<number> {
    const { offsets } = this.parts.shelf;
    const bounds = await offsets.logBounds(TOPICS.messages);
    const epochs = await Promise.all(
      bounds.map(async ({ low, high }, partition) => {
        if (high <= low) return -1;
        const part = await offsets.read(TOPICS.messages, partition, high - 1n, { maxBytes: 1 });
        return part?.records.at(-1)?.epoch ?? -1;
      }),
    );
    return Math.max(1, own, ...epochs);
  }

  /** The first record from an offset on that is the one. */
  private async look(
    topic: string,
    partition: number,
    from: bigint,
    isIt: (record: LogRecord) => boolean,
  ): Promise<LogRecord | 'too far' | null> {
    const { offsets } = this.parts.shelf;
    let at = from;
    for (let seen = 0; seen < LOOK_RECORDS;) {
      const part = await offsets.read(topic, partition, at, { maxBytes: 8 * 1024 * 1024 });
      const found = part?.records.find(isIt);
      if (found) return found;
      if (!part || part.records.length === 0 || part.next >= part.high) return null;
      at = part.next;
      seen += part.records.length;
    }
    return 'too far';
  }

  /** Waits until all groups have read it; they may set it aside again. */
  private async fate(topic: string, to: string): Promise<Replayed> {
    const { shelf, watchMs = WATCH_MS } = this.parts;
    const [, partition, offset] = /\/(\d+)\/(\d+)$/.exec(to)!.map(Number);
    const groups = Object.values(GROUPS).filter((group) => GROUP_TOPICS[group] === topic);
    const deadline = performance.now() + watchMs;
    for (;;) {
      const committed = await Promise.all(
        groups.map((group) => shelf.offsets.fetchGroupOffsets(group, topic)),
      );
      const behind = groups.filter((_, i) => (committed[i]![partition!] ?? 0n) <= BigInt(offset!));
      // behind the offsets: a letter is written before its record is passed
      const again = (await shelf.read()).find(to);
      if (again) {
        const why = again.letters.map(({ group, reason }) => `${group}: ${reason}`).join('; ');
        return { ok: false, says: `→ ${to}, and was set aside again by ${why}` };
      }
      if (behind.length === 0) return { ok: true, says: `→ ${to}, read by ${groups.join(', ')}` };
      if (performance.now() > deadline) {
        return { ok: true, says: `→ ${to}, not yet read by ${behind.join(', ')}` };
      }
      await pause(LOOK_EVERY_MS);
    }
  }
}

const OWN: ReadonlySet<string> = new Set([
  ...Object.values(RECORD_HEADERS),
  ...Object.values(DEAD_LETTER_HEADERS),
]);

/** Headers that the writer does not write by itself. */
function otherHeaders({ headers }: LogRecord): Record<string, string> {
  const names = Object.keys(headers ?? {}).filter((name) => !OWN.has(name));
  return Object.fromEntries(names.map((name) => [name, headerText(headers, name)]));
}
