import { EVENT_TYPES, type PresenceChanged } from '@tidings/common/log-events/events';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { uuidv7 } from 'uuidv7';
import { isoOf } from './domain/status';
import type { PresenceWord } from './domain/user-state';

/** What others are told of a user from now on. */
export interface ToldChange {
  userId: string;
  word: PresenceWord;
  version: number;
}

/** Appends changes of presence to their log. */
export class ChangeLog {
  constructor(
    private readonly writer: Pick<LogWriter, 'append'>,
    private readonly now: () => number,
  ) {}

  /** Settles when all that will get there are in the log: the users of these. Never rejects. */
  async append(changes: readonly ToldChange[]): Promise<ReadonlySet<string>> {
    const inLog = new Set<string>();
    await Promise.all(
      changes.map(async (change) => {
        if (await this.one(change)) inLog.add(change.userId);
      }),
    );
    return inLog;
  }

  private one({ userId, word, version }: ToldChange): Promise<boolean> {
    const { status, lastSeenAtMs, activeAtMs } = word;
    const value: PresenceChanged = {
      userId,
      status,
      lastSeenAt: isoOf(lastSeenAtMs),
      activeAt: isoOf(activeAtMs),
      version,
    };
    const record = {
      key: userId,
      type: EVENT_TYPES.presenceChanged,
      id: uuidv7(),
      time: new Date(this.now()).toISOString(),
      value: JSON.stringify(value),
    };
    return new Promise((resolve) => {
      const taken = this.writer.append(record, ({ ok }) => resolve(ok));
      if (!taken) resolve(false);
    });
  }
}
