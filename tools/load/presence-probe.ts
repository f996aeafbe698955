import type { Presence } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { TOPICS } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { callApi } from './api';
import type { DevicePlan } from './generator/protocol';
import type { Target } from './target';

/** What can be seen of some users' presence at one moment. */
export interface PresenceView {
  /** events in the presence log, of all users */
  events: number;
  /** JSON of what the interface tells of each user */
  told: string[];
}

/** Looks at the presence of users, in the log and by the interface. */
export class PresenceProbe {
  private readonly marks: Watermarks;

  constructor(
    private readonly target: Target,
    private readonly users: readonly DevicePlan[],
  ) {
    const kafka = createKafka({ brokers: target.brokers.split(','), clientId: 'load' });
    this.marks = new Watermarks(kafka, TOPICS.presence, { timeoutMs: 10_000 });
  }

  /** What there is now. Rejects when Kafka or the gateway does not answer. */
  async look(): Promise<PresenceView> {
    const ends = await this.marks.barrier();
    const events = ends.reduce((sum, end) => sum + Number(end ?? 0), 0);
    const told: string[] = [];
    for (let i = 0; i < this.users.length; i += LIMITS.pageItems) {
      const ids = this.users.slice(i, i + LIMITS.pageItems).map(({ userId }) => userId);
      const { items } = (await callApi({
        base: this.target.gateways[0]!,
        method: 'GET',
        path: `/v1/presence?userIds=${ids.join(',')}`,
        token: this.users[0]!.token,
      })) as { items: Presence[] };
      // its version is the time of the answer
      told.push(...items.map((item) => JSON.stringify({ ...item, version: undefined })).sort());
    }
    return { events, told };
  }

  /** Ends its connections. */
  stop(): void {
    this.marks.stop();
  }
}

/** What has changed between two looks: events, and users of whom another presence is told. */
export function presenceChanges(
  before: PresenceView,
  after: PresenceView,
): { events: number; users: number } {
  const had = new Set(before.told);
  return {
    events: after.events - before.events,
    users: after.told.filter((one) => !had.has(one)).length,
  };
}
