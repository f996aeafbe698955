import type { SeenMessage } from '../history';
import type { Operation, RunRecord, Sighting } from './run-record';
import type { Violations } from './violations';

/** Clocks are compared so well, nanoseconds. */
const CLOCK_SLACK_NS = 0.25e9;

/** I2: whatever is seen was sent there, by this sender, with this content, and not refused. */
export function checkContents(record: RunRecord, violations: Violations): void {
  for (const sighting of record.sightings) {
    for (const message of sighting.m) new Look(record, violations, sighting, message).run();
  }
}

class Look {
  private readonly where: string;

  constructor(
    private readonly record: RunRecord,
    private readonly violations: Violations,
    private readonly sighting: Sighting,
    private readonly message: SeenMessage,
  ) {
    this.where = `${sighting.f} at ${sighting.d}: ${message.cid} in ${sighting.c}`;
  }

  run(): void {
    const { record, violations, where, sighting, message } = this;
    const send = record.sends.get(message.cid);
    if (!send || send.c !== sighting.c) {
      const what = send ? `was sent to ${send.c}` : 'was never sent';
      return violations.add('invented', `${where} ${what}`, [sighting.i, send?.began]);
    }
    const events = [send.began, send.ended, sighting.i];
    if (send.outcome === 'fail') violations.add('refused_but_seen', `${where} was refused`, events);
    if (sighting.t < send.inv) {
      violations.add('seen_too_early', `${where} was not sent yet`, events);
    }
    if (message.u !== send.u) {
      violations.add('other_sender', `${where} is from ${message.u}, not ${send.u}`, events);
    }
    this.content(send.v, events);
    if (message.v !== null && message.re !== send.re) {
      violations.add('other_content', `${where} answers ${message.re}, not ${send.re}`, events);
    }
  }

  /** Not refused; or of a message that was over by then: that is `not_found`, whatever was done to it before. */
  private mayBeDone({ outcome, refused, cid, ret }: Operation): boolean {
    const over = (this.record.ends.get(cid) ?? Infinity) <= ret + CLOCK_SLACK_NS;
    return outcome !== 'fail' || (refused?.code === 'not_found' && over);
  }

  /** A message shows what was sent, or what an edit made of it that was begun before. */
  private content(sent: string, events: (number | null)[]): void {
    const { v, cid } = this.message;
    if (v === sent) return;
    const changes = this.record.changes.get(cid) ?? [];
    const fits = changes.filter((op) =>
      v === null ? op.f === 'delete' : op.f === 'edit' && op.v === v,
    );
    if (fits.some((op) => op.inv <= this.sighting.t && this.mayBeDone(op))) return;
    const what = v === null ? 'is deleted' : `says ${JSON.stringify(v.slice(0, 80))}`;
    const said = `${this.where} ${what}, which nobody did`;
    this.violations.add('other_content', said, [...events, ...fits.map(({ began }) => began)]);
  }
}
