import type { HistoryEvent, NewEvent, SeenMessage } from '../../history';
import { AT_REST } from '../run-record';

/** Between two events of a story, nanoseconds: longer than any grace. */
const STEP_NS = 3e9;

/** A history made by hand, for the specs of the checks: one line each, seconds apart. */
export class Story {
  readonly events: HistoryEvent[] = [];
  private t = 0;

  /** Lets time pass, seconds. */
  wait(seconds: number): this {
    this.t += seconds * 1e9;
    return this;
  }

  get now(): number {
    return this.t;
  }

  tell(event: NewEvent): HistoryEvent {
    const whole = { i: this.events.length, t: (this.t += STEP_NS), ...event };
    this.events.push(whole);
    return whole;
  }

  begin(event: Omit<NewEvent, 'k'>): HistoryEvent {
    return this.tell({ k: 'invoke', d: event.u, ...event });
  }

  end(op: HistoryEvent, k: 'ok' | 'fail' | 'info' = 'ok', seq?: string): HistoryEvent {
    const { f, u, d, c, cid, x } = op;
    return this.tell({ k, f, u, d, c, cid, x, op: op.i, seq });
  }

  /** Begun and answered. */
  done(event: Omit<NewEvent, 'k'>): HistoryEvent {
    const { seq, ...rest } = event;
    const op = this.begin(rest);
    this.end(op, 'ok', seq);
    return op;
  }

  group(c: string, members: readonly string[], kind = 'joined'): this {
    this.tell({ k: 'info', f: 'conversation', c, v: kind, x: members[0] });
    for (const x of members) this.done({ f: 'add', u: members[0]!, c, x });
    return this;
  }

  /** A message that is acknowledged; as it is seen from then on. */
  said(u: string, c: string, cid: string, seq: string, extra: Partial<NewEvent> = {}): SeenMessage {
    this.done({ f: 'send', u, c, cid, seq, v: `text of ${cid}`, ...extra });
    const re = extra.re === undefined ? {} : { re: extra.re };
    return { cid, seq, u, v: `text of ${cid}`, ...re };
  }

  edited(u: string, c: string, message: SeenMessage, ver: string, v: string): SeenMessage {
    this.done({ f: 'edit', u, c, cid: message.cid, seq: ver, v });
    return { ...message, ver, v };
  }

  deleted(u: string, c: string, message: SeenMessage, ver: string): SeenMessage {
    this.done({ f: 'delete', u, c, cid: message.cid, seq: ver });
    const { cid, seq, u: sender } = message;
    return { cid, seq, u: sender, ver, v: null };
  }

  /** Who was shown what; the device is named like its user. */
  sees(
    f: 'frame' | 'emit' | 'answer' | 'page' | 'final',
    u: string,
    c: string,
    m: readonly SeenMessage[],
    extra: Partial<NewEvent> = {},
  ): HistoryEvent {
    const pushed = f === 'frame' ? { seq: m[0]?.seq, s: `connection of ${u}` } : {};
    const asked = f === 'page' || f === 'answer' ? { inv: this.t + STEP_NS - 1 } : {};
    return this.tell({ k: 'obs', f, u, d: u, c, m: [...m], ...pushed, ...asked, ...extra });
  }

  /** A mark that a device tells. */
  marks(f: 'received' | 'read', u: string, c: string, seq: string): HistoryEvent {
    return this.begin({ f, u, c, seq });
  }

  receipt(u: string, c: string, x: string, seq: string, r: string): HistoryEvent {
    return this.tell({ k: 'obs', f: 'receipt', u, d: u, c, x, seq, r });
  }

  /** What the server says in an answer, while others do things: how much is unread. */
  unread(u: string, c: string, n: number): HistoryEvent {
    return this.tell({ k: 'obs', f: 'unread', u, d: u, c, n, inv: this.t + STEP_NS - 1 });
  }

  /** A connection of a user with one device; `s` names it. */
  connects(u: string, s = `connection of ${u}`): this {
    for (const v of ['opening', 'open']) this.tell({ k: 'info', f: 'socket', u, d: u, s, v });
    return this;
  }

  disconnects(u: string, s = `connection of ${u}`): this {
    this.tell({ k: 'info', f: 'socket', u, d: u, s, v: 'over' });
    return this;
  }

  /** What somebody is told of another; `seen`: when they were last seen, nanoseconds. */
  presence(u: string, x: string, v: string, seen?: number): HistoryEvent {
    return this.tell({ k: 'obs', f: 'presence', u, d: u, x, v, n: seen });
  }

  rests(): this {
    this.tell({ k: 'info', f: 'phase', v: AT_REST });
    return this;
  }
}
